/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See channel.h. The protocol is net/netfilter/nfnetlink.c, nfnetlink_rcv_batch(). */
#include "kernel/channel.h"

#include "kernel/attributes.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_ROOM = 128 * 1024, ANSWER_BUFFER = 4 * 1024 * 1024, DUMP_TRIES = 16 };

int channel_open(struct channel *ret)
{
	return channel_open_bus(NETLINK_NETFILTER, ret);
}

int channel_take(int fd, struct channel *ret)
{
	int protocol = -1;
	socklen_t size = sizeof protocol;
	struct mnl_socket *socket = NULL;
	char dropped[256];

	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
	    protocol == NETLINK_NETFILTER)
		socket = mnl_socket_fdopen(fd);
	if (!socket) {
		(void)close(fd);
		return -EPROTONOSUPPORT;
	}
	while (recv(fd, dropped, sizeof dropped, MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
	*ret = (struct channel){
		.socket = socket,
		.port = mnl_socket_get_portid(socket),
		.seq = (uint32_t)time(NULL),
	};
	return 0;
}

int channel_open_bus(int bus, struct channel *ret)
{
	struct mnl_socket *socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	int on = 1, room = ANSWER_BUFFER;

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int r = -errno;

		mnl_socket_close(socket);
		return r;
	}
	/* A kernel without one of these still answers; only the words are fewer. */
	(void)mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof on);
	(void)mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &on, sizeof on);
	(void)setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	*ret = (struct channel){
		.socket = socket,
		.port = mnl_socket_get_portid(socket),
		.seq = (uint32_t)time(NULL),
	};
	return 0;
}

int channel_open_route(struct channel *ret)
{
	int r = channel_open_bus(NETLINK_ROUTE, ret), on = 1;

	if (r == 0)
		(void)mnl_socket_setsockopt(ret->socket, NETLINK_GET_STRICT_CHK, &on, sizeof on);
	return r;
}

void channel_drop(struct channel *channel)
{
	if (channel->socket)
		mnl_socket_close(channel->socket);
	*channel = (struct channel){ 0 };
}

struct nlmsghdr *channel_request(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t type,
				 uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *generation;

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	generation = mnl_nlmsg_put_extra_header(message, sizeof *generation);
	*generation = (struct nfgenmsg){ .nfgen_family = NFPROTO_INET };
	return message;
}

struct visiting { channel_visit *visit; void *context; int result; };

/* After a refusal the rest is read and dropped: a socket has room for one dump at a time. */
static int visit_one(const struct nlmsghdr *message, void *context)
{
	struct visiting *v = context;

	if (v->visit && v->result == 0)
		v->result = v->visit(message, v->context);
	return MNL_CB_OK;
}

/* Note that a dump was interrupted, and read on: libmnl would leave the rest of it in the socket. */
static bool clear_interruption(char *bytes, int len)
{
	bool interrupted = false;

	for (struct nlmsghdr *m = (void *)bytes; mnl_nlmsg_ok(m, len);
	     m = mnl_nlmsg_next(m, &len)) {
		interrupted = interrupted || m->nlmsg_flags & NLM_F_DUMP_INTR;
		m->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
	}
	return interrupted;
}

int channel_ask(struct channel *channel, struct nlmsghdr *request, channel_visit *visit,
		void *context)
{
	struct visiting v = { .visit = visit, .context = context };
	char *AUTO(mem_drop) room = malloc(ANSWER_ROOM);
	bool interrupted = false;
	int r = MNL_CB_OK;

	if (!room)
		abort();
	request->nlmsg_seq = ++channel->seq;
	if (mnl_socket_sendto(channel->socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (r > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(channel->socket, room, ANSWER_ROOM);

		if (n < 0)
			return -errno;
		/* Left over from an answer that was given up half way: not ours. */
		if (((struct nlmsghdr *)room)->nlmsg_seq != request->nlmsg_seq)
			continue;
		interrupted = clear_interruption(room, (int)n) || interrupted;
		r = mnl_cb_run(room, (size_t)n, request->nlmsg_seq, channel->port, visit_one, &v);
		if (r == MNL_CB_ERROR)
			return v.result < 0 ? v.result : -errno;
	}
	return interrupted ? -EINTR : v.result < 0 ? v.result : 0;
}

int channel_ask_one(struct channel *channel, struct nlmsghdr *request, channel_visit *visit,
		    void *context)
{
	alignas(struct nlmsghdr) char room[CHANNEL_ANSWER_ROOM];
	const struct nlmsghdr *answer = (const void *)room;
	int fd = mnl_socket_get_fd(channel->socket);
	ssize_t n;

	request->nlmsg_seq = ++channel->seq;
	if (mnl_socket_sendto(channel->socket, request, request->nlmsg_len) < 0)
		return -errno;
	do {					/* the kernel has answered within send(2) */
		n = recv(fd, room, sizeof room, MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0)
			return -errno;
		if (n > (ssize_t)sizeof room)
			return -EMSGSIZE;
	} while (!mnl_nlmsg_ok(answer, (int)n) || answer->nlmsg_seq != request->nlmsg_seq);
	if (answer->nlmsg_type != NLMSG_ERROR)
		return visit(answer, context);
	if (mnl_nlmsg_get_payload_len(answer) < sizeof(struct nlmsgerr))
		return -EBADMSG;
	return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(answer))->error;
}

int channel_dump(struct channel *channel, struct nlmsghdr *request, channel_forget *forget,
		 channel_visit *visit, void *context)
{
	int r = -EINTR;

	for (int i = 0; i < DUMP_TRIES && r == -EINTR; i++) {
		forget(context);
		r = channel_ask(channel, request, visit, context);
	}
	return r;
}

/* Take offset and words out of an extended acknowledgement. */
static void read_words(const struct nlmsghdr *message, struct channel_error *reterr)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
	size_t head = sizeof *error;
	const struct nlattr *offset;
	struct attributes words;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		head += error->msg.nlmsg_len - sizeof(struct nlmsghdr);
	words = attributes_of(message, head);
	offset = attributes_find(words, NLMSGERR_ATTR_OFFS);
	if (offset && mnl_attr_validate(offset, MNL_TYPE_U32) == 0)
		reterr->offset = mnl_attr_get_u32(offset);
	snprintf(reterr->text, sizeof reterr->text, "%s",
		 attributes_text(words, NLMSGERR_ATTR_MSG));
}

/* Read one datagram of answers; *@first_error keeps the first refusal. True when @last_seq came. */
static bool read_answers(const char *bytes, int len, uint32_t first_seq, uint32_t last_seq,
			 int *first_error, struct channel_error *reterr)
{
	bool last = false;

	for (const struct nlmsghdr *m = (const void *)bytes; mnl_nlmsg_ok(m, len);
	     m = mnl_nlmsg_next(m, &len)) {
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(m);

		if (m->nlmsg_type != NLMSG_ERROR ||
		    m->nlmsg_seq - first_seq > last_seq - first_seq ||
		    mnl_nlmsg_get_payload_len(m) < sizeof *error)
			continue;
		if (error->error < 0 && *first_error == 0) {
			*first_error = error->error;
			*reterr = (struct channel_error){ .seq = m->nlmsg_seq };
			read_words(m, reterr);
		}
		last = last || m->nlmsg_seq == last_seq || m->nlmsg_seq == first_seq;
	}
	return last;
}

int channel_commit(struct channel *channel, const void *bytes, size_t len, uint32_t last_seq,
		   struct channel_error *reterr)
{
	int fd = mnl_socket_get_fd(channel->socket), first_error = 0;
	int room = len > INT32_MAX / 4 ? INT32_MAX / 4 : (int)len + 4096;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	char *AUTO(mem_drop) answers = malloc(ANSWER_ROOM);
	uint32_t first_seq = ((const struct nlmsghdr *)bytes)->nlmsg_seq;
	bool done = false;

	if (!answers)
		abort();
	*reterr = (struct channel_error){ 0 };
	/* One datagram, however large: nfnetlink takes a transaction whole or not at all. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
	if (sendto(fd, bytes, len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
		return -errno;
	while (!done) {
		ssize_t n = recv(fd, answers, ANSWER_ROOM, MSG_DONTWAIT);

		/* Nothing more: the acknowledgement is missing, so what became of it is unknown. */
		if (n < 0)
			return first_error ? first_error : errno == EAGAIN ? -EIO : -errno;
		done = read_answers(answers, (int)n, first_seq, last_seq, &first_error, reterr);
	}
	return first_error;
}
