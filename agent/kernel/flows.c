/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading conntrack by ctnetlink (net/netfilter/nf_conntrack_netlink.c), and flows_kill(). A dump
 * of one mark is filtered by the kernel (CTA_MARK with CTA_MARK_MASK); of several, entries without
 * any of our bits cannot be left out there, as the kernel has no "not", so they are here.
 */
#include "kernel/flows.h"

#include "base/mem.h"
#include "kernel/attributes.h"
#include "kernel/channel.h"
#include "kernel/destroy.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

enum { KILL_AT_ONCE = 4096 };

static const char *const tcp_states[] = {
	[TCP_CONNTRACK_NONE] = "NONE",
	[TCP_CONNTRACK_SYN_SENT] = "SYN_SENT",
	[TCP_CONNTRACK_SYN_RECV] = "SYN_RECV",
	[TCP_CONNTRACK_ESTABLISHED] = "ESTABLISHED",
	[TCP_CONNTRACK_FIN_WAIT] = "FIN_WAIT",
	[TCP_CONNTRACK_CLOSE_WAIT] = "CLOSE_WAIT",
	[TCP_CONNTRACK_LAST_ACK] = "LAST_ACK",
	[TCP_CONNTRACK_TIME_WAIT] = "TIME_WAIT",
	[TCP_CONNTRACK_CLOSE] = "CLOSE",
	[TCP_CONNTRACK_SYN_SENT2] = "SYN_SENT",
};

static bool tcp_alive(uint8_t state)
{
	return (state >= TCP_CONNTRACK_SYN_SENT && state <= TCP_CONNTRACK_LAST_ACK) ||
	       state == TCP_CONNTRACK_SYN_SENT2;
}

/* A nested attribute's own attributes; none if it is absent. */
static struct attributes inside(struct attributes list, uint16_t type)
{
	const struct nlattr *nest = attributes_find(list, type);

	return nest ? attributes_nested(nest) : (struct attributes){ NULL, NULL };
}

static uint16_t read_be16(struct attributes list, uint16_t type)
{
	const struct nlattr *attr = list.at ? attributes_find(list, type) : NULL;

	return attr && mnl_attr_validate(attr, MNL_TYPE_U16) == 0 ? ntohs(mnl_attr_get_u16(attr))
								  : 0;
}

static uint8_t read_octet(struct attributes list, uint16_t type)
{
	const struct nlattr *attr = list.at ? attributes_find(list, type) : NULL;

	return attr && mnl_attr_validate(attr, MNL_TYPE_U8) == 0 ? mnl_attr_get_u8(attr) : 0;
}

/* The IPv4 attribute @type4 or the IPv6 one @type6; len 0 if there is neither. */
static struct ip read_ip(struct attributes list, uint16_t type4, uint16_t type6)
{
	const struct nlattr *four = list.at ? attributes_find(list, type4) : NULL;
	const struct nlattr *six = list.at ? attributes_find(list, type6) : NULL;
	const struct nlattr *attr = four ? four : six;
	struct ip ip = { .len = four ? 4 : 16 };

	if (!attr || mnl_attr_get_payload_len(attr) < ip.len)
		return (struct ip){ 0 };
	memcpy(ip.octet, mnl_attr_get_payload(attr), ip.len);
	return ip;
}

/* An entry whose zone differs by direction has it in the tuple, else beside it. */
static void read_zone(struct attributes all, struct attributes original, struct flow *flow)
{
	flow->zoned = attributes_find(all, CTA_ZONE) != NULL;
	flow->connection.zone = flow->zoned ? read_be16(all, CTA_ZONE)
					    : read_be16(original, CTA_TUPLE_ZONE);
}

static void read_tuples(struct attributes original, struct attributes reply, struct flow *flow)
{
	struct connection *c = &flow->connection;
	struct attributes ip = inside(original, CTA_TUPLE_IP);
	struct attributes proto = inside(original, CTA_TUPLE_PROTO);
	struct attributes back = inside(reply, CTA_TUPLE_IP);

	c->from = read_ip(ip, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
	c->to = read_ip(ip, CTA_IP_V4_DST, CTA_IP_V6_DST);
	c->source = read_ip(back, CTA_IP_V4_DST, CTA_IP_V6_DST);
	c->protocol = read_octet(proto, CTA_PROTO_NUM);
	c->from_port = read_be16(proto, CTA_PROTO_SRC_PORT);
	c->to_port = read_be16(proto, CTA_PROTO_DST_PORT);
	c->source_port = read_be16(inside(reply, CTA_TUPLE_PROTO), CTA_PROTO_DST_PORT);
}

static void read_state(struct attributes all, struct flow *flow)
{
	uint32_t status = attributes_be32(all, CTA_STATUS);
	struct attributes more = inside(all, CTA_PROTOINFO);
	const struct nlattr *tcp = more.at ? attributes_find(more, CTA_PROTOINFO_TCP) : NULL;
	uint8_t state = tcp ? read_octet(attributes_nested(tcp), CTA_PROTOINFO_TCP_STATE) : 0;

	flow->connection.state = "";
	flow->alive = (status & IPS_SEEN_REPLY) != 0;
	if (tcp) {
		flow->connection.state = state < ARRAY_LEN(tcp_states) ? tcp_states[state] : "";
		flow->alive = tcp_alive(state);
	}
	flow->alive = flow->alive && !(status & IPS_DYING);
}

bool flows_parse(const struct nlmsghdr *message, struct flow *ret)
{
	struct flow flow = { 0 };
	const struct nlattr *original, *reply;
	struct attributes all;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return false;
	all = attributes_of(message, sizeof(struct nfgenmsg));
	original = attributes_find(all, CTA_TUPLE_ORIG);
	reply = attributes_find(all, CTA_TUPLE_REPLY);
	if (!original || !reply)
		return false;
	read_tuples(attributes_nested(original), attributes_nested(reply), &flow);
	if (!flow.connection.from.len || flow.connection.to.len != flow.connection.from.len ||
	    flow.connection.source.len != flow.connection.from.len)
		return false;
	read_zone(all, attributes_nested(original), &flow);
	read_state(all, &flow);
	flow.connection.mark.host = attributes_be32(all, CTA_MARK);
	flow.connection.id = attributes_be32(all, CTA_ID);
	flow.unplaced = original->nla_len > sizeof flow.tuple;
	if (!flow.unplaced) {
		flow.tuple_len = original->nla_len;
		memcpy(flow.tuple, original, original->nla_len);
	}
	*ret = flow;
	return true;
}

static struct nlmsghdr *conntrack_request(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t type,
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
		conntrack_request(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, family);
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

/* Has conntrack any entry in this namespace? A dump walks the hash table of all namespaces, which
 * takes milliseconds also where there is nothing. If it does not say, it may have. */
static bool has_entries(struct channel *conntrack)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message = conntrack_request(buffer, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK,
						     AF_UNSPEC);
	uint32_t n = 1;

	return channel_ask(conntrack, message, visit_entries, &n) < 0 || n > 0;
}

/* Dump what has @mark within @mask; everything if @mark is NULL. */
static int dump(struct fwmark mask, const struct fwmark *mark, channel_forget *forget,
		channel_visit *visit, void *context)
{
	AUTO(channel_drop) struct channel conntrack = { 0 };
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message = conntrack_request(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP,
						     AF_UNSPEC);
	int r = channel_open(&conntrack);

	if (r < 0)
		return r;
	if (!has_entries(&conntrack)) {
		forget(context);
		return 0;
	}
	if (mark) {
		mnl_attr_put_u32(message, CTA_MARK, htonl(mark->host));
		mnl_attr_put_u32(message, CTA_MARK_MASK, htonl(mask.host));
	}
	return channel_dump(&conntrack, message, forget, visit, context);
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

	if (found && flows_parse(message, &flow) && (flow.alive || tally->dead_too))
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

	if (!flows_parse(message, &flow) || !flow.alive ||
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

	if (!flows_parse(message, &flow) || !flow.alive)
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
