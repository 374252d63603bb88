/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See meter.h. A request for one element is answered within sendmsg(2) by one message, the element
 * or -ENOENT (net/netfilter/nf_tables_api.c, nf_tables_getsetelem(), under RCU alone), so a batch of
 * requests has as many answers, told apart by their sequence numbers.
 */
#include "kernel/meter.h"

#include "base/mem.h"
#include "kernel/elements.h"
#include "kernel/flows.h"
#include "kernel/table.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

enum { AT_ONCE = 256, REQUEST_ROOM = 160, ANSWERS_AT_ONCE = 32, ANSWER_ROOM = 1024 };

struct meter {
	struct channel nft, conntrack;
	char *table;
	char *requests;				/* AT_ONCE of them */
	char (*answers)[ANSWER_ROOM];		/* ANSWERS_AT_ONCE */
};

static const char *const reason_sets[METER_REASONS] = {
	[METER_UNUSABLE] = "of_unusable", [METER_LIMIT] = "of_limit", [METER_REUSED] = "of_reused",
	[METER_OVERFLOWED] = "of_overflowed", [METER_DELAYED] = "of_delayed",
	[METER_STRAY] = "of_stray", [METER_GUARD] = "of_guard", [METER_UPLINK] = "of_uplink",
};

int meter_open(const char *table, struct meter **ret)
{
	struct meter *meter = mem_zero(1, sizeof *meter);
	int r = channel_open(&meter->nft);

	meter->table = mem_copy(table);
	meter->requests = mem_zero(AT_ONCE, REQUEST_ROOM);
	meter->answers = mem_zero(ANSWERS_AT_ONCE, ANSWER_ROOM);
	if (r == 0)
		r = channel_open(&meter->conntrack);
	if (r < 0) {
		meter_close(meter);
		return r;
	}
	*ret = meter;
	return 0;
}

void meter_close(struct meter *meter)
{
	if (!meter)
		return;
	channel_drop(&meter->nft);
	channel_drop(&meter->conntrack);
	free(meter->table);
	free(meter->requests);
	free(meter->answers);
	free(meter);
}

/* A request for one element at @at; returns its length. */
static size_t put_request(const struct meter *meter, char *at, enum set_id set, const uint8_t *key,
			  uint32_t seq)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message = elements_request(buffer, 0, meter->table, plan_shapes[set].name,
						    key, plan_shapes[set].key_len);

	message->nlmsg_seq = seq;
	if (message->nlmsg_len > REQUEST_ROOM)
		abort();		/* names of tables and sets are ours, and short */
	memcpy(at, buffer, message->nlmsg_len);
	return message->nlmsg_len;
}

/* Take one answer; @first is the sequence number of ret[0]. Whether it was one of the @n. */
static bool take_answer(const char *bytes, size_t len, uint32_t first, size_t n,
			struct counted *ret, int *first_error)
{
	const struct nlmsghdr *message = (const void *)bytes;
	const struct nlmsgerr *error;
	const struct nlattr *element;

	if (!mnl_nlmsg_ok(message, (int)len) || message->nlmsg_seq - first >= n)
		return false;
	if (message->nlmsg_type == NLMSG_ERROR) {
		error = mnl_nlmsg_get_payload(message);
		if (mnl_nlmsg_get_payload_len(message) >= sizeof *error &&
		    error->error != -ENOENT && *first_error == 0)
			*first_error = error->error;
		return true;
	}
	element = attributes_find(elements_of(message), NFTA_LIST_ELEM);
	if (element)
		(void)elements_counted(element, &ret[message->nlmsg_seq - first]);
	return true;
}

/* All of @n answers are in the socket; one that was dropped for want of memory is told as ENOBUFS. */
static int take_answers(struct meter *meter, uint32_t first, size_t n, struct counted *ret)
{
	struct iovec vectors[ANSWERS_AT_ONCE];
	struct mmsghdr messages[ANSWERS_AT_ONCE];
	int first_error = 0;

	memset(messages, 0, sizeof messages);
	for (size_t i = 0; i < ANSWERS_AT_ONCE; i++) {
		vectors[i] = (struct iovec){ meter->answers[i], ANSWER_ROOM };
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (size_t taken = 0; taken < n;) {
		int got = recvmmsg(mnl_socket_get_fd(meter->nft.socket), messages, ANSWERS_AT_ONCE,
				   MSG_DONTWAIT, NULL);

		if (got < 0)
			return errno == EAGAIN ? -EIO : -errno;
		for (int i = 0; i < got; i++)
			taken += take_answer(meter->answers[i], messages[i].msg_len, first, n, ret,
					     &first_error);
	}
	return first_error;
}

int meter_read(struct meter *meter, enum set_id set, enum family family, const uint32_t *marks,
	       size_t n, struct counted *ret)
{
	uint8_t key[KEY_MAX] = { 0 };

	if (plan_shapes[set].key_len > sizeof *marks)
		key[sizeof *marks] = family == FAMILY_IPV4 ? AF_INET : AF_INET6;
	memset(ret, 0, n * sizeof *ret);
	for (size_t i = 0; i < n; i += AT_ONCE) {
		size_t some = n - i < AT_ONCE ? n - i : AT_ONCE, len = 0;
		uint32_t first = meter->nft.seq + 1;
		int r;

		for (size_t j = 0; j < some; j++) {
			memcpy(key, &marks[i + j], sizeof *marks);
			len += put_request(meter, meter->requests + len, set, key,
					   ++meter->nft.seq);
		}
		if (mnl_socket_sendto(meter->nft.socket, meter->requests, len) < 0)
			return -errno;
		r = take_answers(meter, first, some, ret + i);
		if (r < 0)
			return r;
	}
	return 0;
}

struct refusing { meter_refusal *each; void *context; };

static void visit_refusal(const struct nlattr *element, const struct refusing *refusing)
{
	const struct nlattr *value = elements_key(element);
	struct { struct fwmark mark; uint8_t family, pad[3]; } key;
	struct counted counted;

	if (!value || mnl_attr_get_payload_len(value) != sizeof key ||
	    !elements_counted(element, &counted))
		return;
	memcpy(&key, mnl_attr_get_payload(value), sizeof key);
	refusing->each(refusing->context, key.mark,
		       key.family == AF_INET ? FAMILY_IPV4 : FAMILY_IPV6, &counted);
}

static int visit_refusals(const struct nlmsghdr *message, void *context)
{
	struct attributes elements = elements_of(message);
	const struct nlattr *element;

	while ((element = attributes_next(&elements)))
		visit_refusal(element, context);
	return 0;
}

int meter_refusals(struct meter *meter, enum meter_reason reason, meter_refusal *each,
		   void *context)
{
	struct refusing refusing = { each, context };
	char buffer[CHANNEL_REQUEST_ROOM];
	int r = channel_ask(&meter->nft,
			    elements_request_all(buffer, meter->table, reason_sets[reason]),
			    visit_refusals, &refusing);

	return r == -EINTR ? 0 : r;	/* changes of other things meanwhile do not matter */
}

int meter_counters(struct meter *meter, struct kernel_counters *ret)
{
	return table_read_counters(&meter->nft, meter->table, ret);
}

static int visit_processor(const struct nlmsghdr *message, void *context)
{
	struct meter_conntrack *sum = context;
	struct attributes all = attributes_of(message, sizeof(struct nfgenmsg));

	sum->invalid += attributes_be32(all, CTA_STATS_INVALID);
	sum->insert_failed += attributes_be32(all, CTA_STATS_INSERT_FAILED);
	sum->drop += attributes_be32(all, CTA_STATS_DROP);
	sum->early_drop += attributes_be32(all, CTA_STATS_EARLY_DROP);
	sum->error += attributes_be32(all, CTA_STATS_ERROR);
	sum->search_restart += attributes_be32(all, CTA_STATS_SEARCH_RESTART);
	sum->clash_resolve += attributes_be32(all, CTA_STATS_CLASH_RESOLVE);
	return 0;
}

static int visit_fill(const struct nlmsghdr *message, void *context)
{
	struct meter_conntrack *fill = context;
	struct attributes all = attributes_of(message, sizeof(struct nfgenmsg));

	fill->entries = attributes_be32(all, CTA_STATS_GLOBAL_ENTRIES);
	fill->max = attributes_be32(all, CTA_STATS_GLOBAL_MAX_ENTRIES);
	return 0;
}

int meter_read_conntrack(struct channel *conntrack, struct meter_conntrack *ret)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct meter_conntrack stats = { 0 };
	int r = channel_ask(conntrack,
			    flows_request(buffer, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, AF_UNSPEC),
			    visit_fill, &stats);

	if (r == 0)
		r = channel_ask(conntrack,
				flows_request(buffer, IPCTNL_MSG_CT_GET_STATS_CPU, NLM_F_DUMP,
					      AF_UNSPEC),
				visit_processor, &stats);
	if (r == 0)
		*ret = stats;
	return r;
}

int meter_conntrack(struct meter *meter, struct meter_conntrack *ret)
{
	return meter_read_conntrack(&meter->conntrack, ret);
}
