/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking ctnetlink (net/netfilter/nf_conntrack_netlink.c), and flows_kill(); flows_parse.c reads. A dump
 * of one mark is filtered by the kernel (CTA_MARK with CTA_MARK_MASK); of several, entries without
 * any of our bits cannot be left out there, as the kernel has no "not", so they are here.
 */
#include "kernel/flows.h"

#include "base/mem.h"
#include "kernel/attributes.h"
#include "kernel/destroy.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

enum { KILL_AT_ONCE = 4096 };

struct nlmsghdr *flows_request(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t type,
			       uint16_t flags, uint8_t family)
{
	struct nlmsghdr *message = channel_request(buffer, 0, flags);
	struct nfgenmsg *head = mnl_nlmsg_get_payload(message);

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	head->nfgen_family = family;
	return message;
}

int flows_delete(struct channel *conntrack, const struct flow *flow)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	uint8_t family = flow->connection.from.len == 4 ? AF_INET : AF_INET6;
	struct nlmsghdr *message =
		flows_request(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, family);
	const struct nlattr *tuple = (const void *)flow->tuple;
	int r;

	if (flow->unplaced)
		return -E2BIG;
	mnl_attr_put(message, CTA_TUPLE_ORIG | NLA_F_NESTED, mnl_attr_get_payload_len(tuple),
		     mnl_attr_get_payload(tuple));
	if (flow->zoned)
		mnl_attr_put_u16(message, CTA_ZONE, htons(flow->connection.zone));
	mnl_attr_put_u32(message, CTA_ID, htonl(flow->connection.id));
	r = channel_ask(conntrack, message, NULL, NULL);
	return r == -ENOENT ? 0 : r;
}

static int visit_entries(const struct nlmsghdr *message, void *context)
{
	struct attributes all = attributes_of(message, sizeof(struct nfgenmsg));

	*(uint32_t *)context = attributes_be32(all, CTA_STATS_GLOBAL_ENTRIES);
	return 0;
}

/* A dump walks the hash table of all namespaces, which takes milliseconds also where there is
 * nothing. If the kernel does not say, there may be something. */
static bool has_entries(struct channel *channel)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message = flows_request(buffer, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK,
						 AF_UNSPEC);
	uint32_t n = 1;

	return channel_ask(channel, message, visit_entries, &n) < 0 || n > 0;
}

int flows_entries(uint32_t *ret)
{
	AUTO(channel_drop) struct channel channel = { 0 };
	char buffer[CHANNEL_REQUEST_ROOM];
	int r = channel_open(&channel);

	return r < 0 ? r : channel_ask(&channel, flows_request(buffer, IPCTNL_MSG_CT_GET_STATS,
							       NLM_F_ACK, AF_UNSPEC),
				       visit_entries, ret);
}

struct nlmsghdr *flows_request_dump(char buffer[static CHANNEL_REQUEST_ROOM], struct fwmark mask,
				    const struct fwmark *mark)
{
	struct nlmsghdr *message = flows_request(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC);

	if (mark) {
		mnl_attr_put_u32(message, CTA_MARK, htonl(mark->host));
		mnl_attr_put_u32(message, CTA_MARK_MASK, htonl(mask.host));
	}
	return message;
}

static int dump(struct fwmark mask, const struct fwmark *mark, channel_forget *forget,
		channel_visit *visit, void *context)
{
	AUTO(channel_drop) struct channel conntrack = { 0 };
	char buffer[CHANNEL_REQUEST_ROOM];
	int r = channel_open(&conntrack);

	if (r < 0)
		return r;
	if (!has_entries(&conntrack)) {
		forget(context);
		return 0;
	}
	return channel_dump(&conntrack, flows_request_dump(buffer, mask, mark), forget, visit,
			    context);
}

struct tally {					/* of several marks; sorted, with their places */
	struct fwmark mask;
	struct place { uint32_t mark; size_t at; } *places;
	size_t n;
	uint64_t *counts;			/* by the caller's place */
	bool dead_too;
};

static int by_mark(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	return a->mark < b->mark ? -1 : a->mark > b->mark;
}

static const struct place *find_mark(const struct tally *tally, uint32_t mark)
{
	struct place key = { .mark = mark };

	return mark ? bsearch(&key, tally->places, tally->n, sizeof key, by_mark) : NULL;
}

static int visit_tally(const struct nlmsghdr *message, void *context)
{
	struct tally *tally = context;
	struct attributes all = attributes_of(message, sizeof(struct nfgenmsg));
	const struct place *found = find_mark(tally, attributes_be32(all, CTA_MARK) &
							     tally->mask.host);
	struct flow flow;

	if (found && flows_parse(message, &flow) && (flow.connection.alive || tally->dead_too))
		tally->counts[found->at]++;
	return 0;
}

static void forget_tally(void *context)
{
	const struct tally *tally = context;

	memset(tally->counts, 0, tally->n * sizeof *tally->counts);
}

static void tally_drop(struct tally *tally)
{
	free(tally->places);
	free(tally->counts);
}

static void tally_begin(struct fwmark mask, const struct fwmark *marks, size_t n,
			struct tally *ret)
{
	*ret = (struct tally){ .mask = mask, .n = n };
	ret->counts = mem_zero(n, sizeof *ret->counts);
	ret->places = mem_zero(n, sizeof *ret->places);
	for (size_t i = 0; i < n; i++)
		ret->places[i] = (struct place){ marks[i].host & mask.host, i };
	qsort(ret->places, n, sizeof *ret->places, by_mark);
}

static int tally_entries(struct tally *tally, const struct fwmark *marks)
{
	return tally->n == 0 ? 0 : dump(tally->mask, tally->n == 1 ? marks : NULL, forget_tally,
					visit_tally, tally);
}

int flows_count(struct fwmark mask, const struct fwmark *marks, size_t n, uint64_t *ret_counts)
{
	AUTO(tally_drop) struct tally tally;
	int r;

	tally_begin(mask, marks, n, &tally);
	r = tally_entries(&tally, marks);
	if (r == 0 && n > 0)
		memcpy(ret_counts, tally.counts, n * sizeof *ret_counts);
	return r;
}

struct source_tally { struct fwmark mask; const struct ip *ips; size_t n; uint64_t *counts; };

static int ip_to_ip(const void *left, const void *right)
{
	return ip_compare(left, right);
}

static int visit_source(const struct nlmsghdr *message, void *context)
{
	const struct source_tally *tally = context;
	const struct ip *found;
	struct flow flow;

	if (!flows_parse(message, &flow) || !flow.connection.alive ||
	    !(flow.connection.mark.host & tally->mask.host))
		return 0;
	found = bsearch(&flow.connection.source, tally->ips, tally->n, sizeof *tally->ips,
			ip_to_ip);
	if (found)
		tally->counts[found - tally->ips]++;
	return 0;
}

static void forget_sources(void *context)
{
	const struct source_tally *tally = context;

	memset(tally->counts, 0, tally->n * sizeof *tally->counts);
}

int flows_sources(struct fwmark mask, const struct ip *ips, size_t n, uint64_t *ret_counts)
{
	struct source_tally tally = { mask, ips, n, ret_counts };

	forget_sources(&tally);
	return n == 0 ? 0 : dump(mask, NULL, forget_sources, visit_source, &tally);
}

static void tally_socket(uint32_t mark, void *context)
{
	const struct tally *tally = context;
	const struct place *found = find_mark(tally, mark);

	if (found)
		tally->counts[found->at]++;
}

/* Entries first: a dump that begins anew forgets what was counted. */
int flows_carried(struct fwmark mask, const struct fwmark *marks, size_t n, bool *ret_carried)
{
	AUTO(tally_drop) struct tally tally;
	int r;

	tally_begin(mask, marks, n, &tally);
	tally.dead_too = true;
	r = tally_entries(&tally, marks);
	if (r == 0)
		r = destroy_marks(mask, tally_socket, &tally);
	for (size_t i = 0; i < n && r == 0; i++)
		ret_carried[i] = tally.counts[i] > 0;
	return r;
}

struct gathering { struct flows flows; size_t max; uint64_t n_all; };

static void gathering_drop(struct gathering *gathering)
{
	free(gathering->flows.at);
}

static void forget_gathered(void *context)
{
	struct gathering *gathering = context;

	gathering->flows.n = gathering->n_all = 0;
}

static int visit_gathered(const struct nlmsghdr *message, void *context)
{
	struct gathering *gathering = context;
	struct flow flow;

	if (!flows_parse(message, &flow) || !flow.connection.alive)
		return 0;
	gathering->n_all++;
	if (gathering->flows.n < gathering->max)
		PUSH(&gathering->flows, flow);
	return 0;
}

int flows_list(struct fwmark mask, struct fwmark mark, size_t max, struct connections *ret)
{
	AUTO(gathering_drop) struct gathering gathering = { .max = max };
	int r = dump(mask, &mark, forget_gathered, visit_gathered, &gathering);

	if (r < 0)
		return r;
	*ret = (struct connections){ .n_all = gathering.n_all };
	for (size_t i = 0; i < gathering.flows.n; i++)
		PUSH(ret, gathering.flows.at[i].connection);
	return 0;
}

/* May this entry go? Not while its socket lives, nor if its packets would be judged anew. */
static bool may_go(const struct flow *flow, enum socket_fate fate)
{
	if (fate == SOCKET_LIVES)
		return false;
	return fate == SOCKET_ENDED || flow->connection.protocol != PROTOCOL_TCP ||
	       destroy_local(&flow->connection.from);
}

int flows_kill(struct fwmark mask, struct fwmark mark, struct killed *ret)
{
	AUTO(gathering_drop) struct gathering gathering = { .max = KILL_AT_ONCE };
	enum socket_fate *AUTO(mem_drop) fates = NULL;
	AUTO(channel_drop) struct channel conntrack = { 0 };
	struct killed killed = { 0 };
	int r = dump(mask, &mark, forget_gathered, visit_gathered, &gathering);

	if (r < 0)
		return r;
	fates = mem_zero(gathering.flows.n, sizeof *fates);
	r = destroy_sockets(&gathering.flows, fates, &killed.error);
	if (r == 0)
		r = channel_open(&conntrack);
	if (r < 0)
		return r;
	for (size_t i = 0; i < gathering.flows.n; i++) {
		const struct flow *flow = &gathering.flows.at[i];

		if (!may_go(flow, fates[i]))
			continue;
		r = flows_delete(&conntrack, flow);
		killed.n_ended += r == 0;
		if (r < 0 && killed.error == 0)
			killed.error = r;
	}
	killed.n_left = gathering.n_all - killed.n_ended;
	*ret = killed;
	return 0;
}
