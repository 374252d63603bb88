/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One message of ctnetlink as a connection (net/netfilter/nf_conntrack_netlink.c). Every length is
 * checked: what is missing or cut short reads as nothing. */
#include "kernel/flows.h"

#include "kernel/attributes.h"

#include <endian.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

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

static uint64_t read_be64(struct attributes list, uint16_t type)
{
	const struct nlattr *attr = list.at ? attributes_find(list, type) : NULL;

	return attr && mnl_attr_validate(attr, MNL_TYPE_U64) == 0 ? be64toh(mnl_attr_get_u64(attr))
								  : 0;
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
	flow->connection.alive = (status & IPS_SEEN_REPLY) != 0;
	if (tcp) {
		flow->connection.state = state < ARRAY_LEN(tcp_states) ? tcp_states[state] : "";
		flow->connection.alive = tcp_alive(state);
	}
	flow->connection.alive = flow->connection.alive && !(status & IPS_DYING);
}

/* What the kernel counted, where it was told to. */
static void read_counts(struct attributes all, struct connection *c)
{
	static const uint16_t directions[2] = { CTA_COUNTERS_ORIG, CTA_COUNTERS_REPLY };
	struct attributes times = inside(all, CTA_TIMESTAMP);

	for (size_t i = 0; i < ARRAY_LEN(directions); i++) {
		struct attributes counts = inside(all, directions[i]);

		c->counted = counts.at != NULL;
		c->packets[i] = read_be64(counts, CTA_COUNTERS_PACKETS);
		c->bytes[i] = read_be64(counts, CTA_COUNTERS_BYTES);
	}
	c->began = read_be64(times, CTA_TIMESTAMP_START);
	c->ended = read_be64(times, CTA_TIMESTAMP_STOP);
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
	read_counts(all, &flow.connection);
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
