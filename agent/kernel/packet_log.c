/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See packet_log.h. The protocol is net/netfilter/nfnetlink_log.c. */
#include "kernel/packet_log.h"

#include "base/mem.h"
#include "kernel/attributes.h"
#include "kernel/channel.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* A message holds many packets; a whole one of 64 KiB needs room beside its attributes. */
enum { READ_BYTES = 256 * 1024, READS_AT_ONCE = 32, KERNEL_BYTES = 128 * 1024, GROUPS_TRIED = 1000,
       QUEUE_BYTES = 32 << 20, PACKETS_A_MESSAGE = 64 };
enum { FLUSH_CENTISECONDS = 0 };		/* at the next tick: times are to be told apart */
enum { STEP_NS = 1000000000 };			/* so far back, the clock was set */

struct packet_log {
	struct channel channel;
	uint32_t next;				/* number of the packet to come */
	uint64_t lost;
	bool overrun;				/* and what it cost is not known yet */
	uint64_t last_ns;			/* time of the record that was handed over last */
	struct logged batch[PACKETS_A_MESSAGE];
	size_t n_batch;
	alignas(struct nlmsghdr) uint8_t buffer[READ_BYTES];
};

static int configure(struct channel *channel, uint16_t group, uint32_t snap)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message = channel_request(buffer, 0, NLM_F_ACK);
	struct nfgenmsg *head = mnl_nlmsg_get_payload(message);
	struct nfulnl_msg_config_cmd bind = { .command = NFULNL_CFG_CMD_BIND };
	struct nfulnl_msg_config_mode mode = { .copy_range = htonl(snap),
					       .copy_mode = NFULNL_COPY_PACKET };

	message->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	head->nfgen_family = AF_UNSPEC;
	head->res_id = htons(group);
	mnl_attr_put(message, NFULA_CFG_CMD, sizeof bind, &bind);
	mnl_attr_put(message, NFULA_CFG_MODE, sizeof mode, &mode);
	mnl_attr_put_u32(message, NFULA_CFG_NLBUFSIZ, htonl(KERNEL_BYTES));
	mnl_attr_put_u32(message, NFULA_CFG_TIMEOUT, htonl(FLUSH_CENTISECONDS));
	mnl_attr_put_u32(message, NFULA_CFG_QTHRESH, htonl(PACKETS_A_MESSAGE));
	mnl_attr_put_u16(message, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
	return channel_ask(channel, message, NULL, NULL);
}

int packet_log_open(uint16_t first, uint32_t snap, struct packet_log **ret, uint16_t *ret_group)
{
	struct packet_log *log = mem_zero(1, sizeof *log);
	int r = channel_open(&log->channel), room = QUEUE_BYTES;
	uint16_t group = first;

	if (r == 0) {
		r = -EBUSY;
		(void)setsockopt(packet_log_fd(log), SOL_SOCKET, SO_RCVBUFFORCE, &room,
				 sizeof room);
	}
	for (int i = 0; i < GROUPS_TRIED && r == -EBUSY; i++) {
		group = (uint16_t)(first + i ? first + i : 1);
		r = configure(&log->channel, group, snap);
	}
	if (r < 0) {
		packet_log_close(log);
		return r;
	}
	*ret = log;
	*ret_group = group;
	return 0;
}

void packet_log_close(struct packet_log *log)
{
	if (!log)
		return;
	channel_drop(&log->channel);
	free(log);
}

int packet_log_fd(const struct packet_log *log)
{
	return mnl_socket_get_fd(log->channel.socket);
}

uint64_t packet_log_lost(const struct packet_log *log)
{
	return log->lost + log->overrun;
}

/* Of a fixed attribute as much as there is of it must be all of it. */
static bool get_bytes(struct attributes all, uint16_t type, void *ret, size_t len)
{
	const struct nlattr *attr = attributes_find(all, type);

	if (!attr || mnl_attr_get_payload_len(attr) < len)
		return false;
	memcpy(ret, mnl_attr_get_payload(attr), len);
	return true;
}

static uint64_t time_of(struct attributes all)
{
	struct nfulnl_msg_packet_timestamp stamp;

	if (!get_bytes(all, NFULA_TIMESTAMP, &stamp, sizeof stamp))
		return 0;
	return be64toh(stamp.sec) * 1000000000 + be64toh(stamp.usec) * 1000;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void packet_log_date(struct logged *logged, size_t n, uint64_t now, uint64_t *last)
{
	for (size_t i = n; i-- > 0; now = logged[i].when_ns)
		if (logged[i].when_ns == 0)
			logged[i].when_ns = now;
	for (size_t i = 0; i < n; i++) {
		if (logged[i].when_ns < *last && *last - logged[i].when_ns < STEP_NS)
			logged[i].when_ns = *last;
		*last = logged[i].when_ns;
	}
}

bool packet_log_parse(const void *bytes, size_t len, struct logged *ret, bool *ret_has_seq,
		      uint32_t *ret_seq)
{
	const char *start = bytes;
	const size_t head = attributes_align(sizeof(struct nfgenmsg));
	struct nfulnl_msg_packet_hdr packet;
	struct attributes all;
	const struct nlattr *payload;
	uint32_t number;

	if (len < head)
		return false;
	all = (struct attributes){ start + head, start + len };
	payload = attributes_find(all, NFULA_PAYLOAD);
	if (!payload || !get_bytes(all, NFULA_PACKET_HDR, &packet, sizeof packet))
		return false;
	*ret = (struct logged){ .when_ns = time_of(all),
				.out = packet.hook == NF_INET_POST_ROUTING };
	(void)snprintf(ret->prefix, sizeof ret->prefix, "%s", attributes_text(all, NFULA_PREFIX));
	ret->link = attributes_be32(all, ret->out ? NFULA_IFINDEX_OUTDEV : NFULA_IFINDEX_INDEV);
	ret->has_uid = get_bytes(all, NFULA_UID, &number, sizeof number);
	ret->uid = ret->has_uid ? ntohl(number) : 0;
	ret->bytes = mnl_attr_get_payload(payload);
	ret->len = mnl_attr_get_payload_len(payload);
	*ret_has_seq = get_bytes(all, NFULA_SEQ, &number, sizeof number);
	*ret_seq = *ret_has_seq ? ntohl(number) : 0;
	return true;
}

static void hand_over(struct packet_log *log, packet_log_visit *visit, void *context)
{
	packet_log_date(log->batch, log->n_batch, now_ns(), &log->last_ns);
	for (size_t i = 0; i < log->n_batch; i++)
		visit(context, &log->batch[i]);
	log->n_batch = 0;
}

/* There is room for one more, and afterwards again. */
static void take(struct packet_log *log, const struct nlmsghdr *message, packet_log_visit *visit,
		 void *context)
{
	bool has_seq;
	uint32_t seq;

	if (message->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
	    !packet_log_parse(mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message),
			      &log->batch[log->n_batch], &has_seq, &seq))
		return;
	if (has_seq) {				/* the kernel counts from 0 */
		log->lost += (uint32_t)(seq - log->next);
		log->overrun = log->overrun && seq == log->next;
		log->next = seq + 1;
	}
	if (++log->n_batch == ARRAY_LEN(log->batch))
		hand_over(log, visit, context);
}

int packet_log_read(struct packet_log *log, packet_log_visit *visit, void *context)
{
	for (int i = 0; i < READS_AT_ONCE; i++) {
		ssize_t n = recv(packet_log_fd(log), log->buffer, sizeof log->buffer, MSG_DONTWAIT);
		int left = (int)n;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n < 0 && errno == ENOBUFS) {
			log->overrun = true;	/* what was lost is missing in the numbers */
			continue;
		}
		if (n < 0)
			return -errno;
		for (const struct nlmsghdr *m = (const void *)log->buffer; mnl_nlmsg_ok(m, left);
		     m = mnl_nlmsg_next(m, &left))
			take(log, m, visit, context);
		hand_over(log, visit, context);
	}
	return 0;
}
