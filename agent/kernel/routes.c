/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What uplinks need of rtnetlink. Only tables of uplinks are read, so the dump asks for one table:
 * the kernel then does not walk the others.
 */
#include "kernel/routes.h"

#include "base/mem.h"
#include "kernel/attributes.h"

#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

enum { READ_TRIES = 8 };

static uint8_t family_of(const struct ip *ip)
{
	return ip->len == 4 ? AF_INET : AF_INET6;
}

static struct nlmsghdr *start(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t type,
			      uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	return message;
}

static bool take_ip(struct attributes list, uint16_t type, struct ip *ip)
{
	const struct nlattr *attribute = attributes_find(list, type);

	if (!attribute || mnl_attr_get_payload_len(attribute) != ip->len)
		return false;
	memcpy(ip->octet, mnl_attr_get_payload(attribute), ip->len);
	return true;
}

static uint32_t take_u32(struct attributes list, uint16_t type)
{
	const struct nlattr *attribute = attributes_find(list, type);

	return attribute && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0
		       ? mnl_attr_get_u32(attribute)
		       : 0;
}

struct route_reading { struct routes routes; uint32_t table; };

static int take_route(const struct nlmsghdr *message, void *context)
{
	struct route_reading *reading = context;
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(message);
	struct route route = { 0 };
	struct attributes list;

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(message) < sizeof *rtm || rtm->rtm_flags & RTM_F_CLONED ||
	    (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6))
		return 0;
	list = attributes_of(message, sizeof *rtm);
	route.table = take_u32(list, RTA_TABLE);
	if (route.table != reading->table)
		return 0;
	route.to.ip.len = route.gateway.len = rtm->rtm_family == AF_INET ? 4 : 16;
	route.to.bits = rtm->rtm_dst_len;
	(void)take_ip(list, RTA_DST, &route.to.ip);
	if (!take_ip(list, RTA_GATEWAY, &route.gateway))
		route.gateway = (struct ip){ 0 };
	route.link = take_u32(list, RTA_OIF);
	route.metric = take_u32(list, RTA_PRIORITY);
	route.unreachable = rtm->rtm_type == RTN_UNREACHABLE;
	route.protocol = rtm->rtm_protocol;
	PUSH(&reading->routes, route);
	return 0;
}

static int dump_family(struct channel *channel, uint8_t family, struct route_reading *reading)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message = start(buffer, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(message, sizeof *rtm);
	int r;

	*rtm = (struct rtmsg){ .rtm_family = family };
	mnl_attr_put_u32(message, RTA_TABLE, reading->table);
	r = channel_ask(channel, message, take_route, reading);
	/* A table that nothing was ever put into is not there, nor IPv6 where it is off. */
	return r == -ENOENT || r == -EOPNOTSUPP || r == -EAFNOSUPPORT ? 0 : r;
}

int routes_read(struct channel *channel, uint32_t table, struct routes *ret)
{
	struct route_reading reading = { .table = table };
	int r = -EINTR;

	for (int i = 0; i < READ_TRIES && r == -EINTR; i++) {
		reading.routes.n = 0;
		r = dump_family(channel, AF_INET, &reading);
		if (r == 0)
			r = dump_family(channel, AF_INET6, &reading);
	}
	if (r < 0) {
		free(reading.routes.at);
		return r == -EINTR ? -EAGAIN : r;
	}
	free(ret->at);
	*ret = reading.routes;
	return 0;
}

static int change_route(struct channel *channel, uint16_t type, uint16_t flags,
			const struct route *route)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message = start(buffer, type, NLM_F_ACK | flags);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(message, sizeof *rtm);

	*rtm = (struct rtmsg){
		.rtm_family = family_of(&route->to.ip),
		.rtm_dst_len = route->to.bits,
		.rtm_protocol = PROTOCOL_OUTBIND,
		.rtm_type = route->unreachable ? RTN_UNREACHABLE : RTN_UNICAST,
		.rtm_scope = route->gateway.len || route->unreachable || route->to.ip.len == 16
				     ? RT_SCOPE_UNIVERSE
				     : RT_SCOPE_LINK,
	};
	mnl_attr_put_u32(message, RTA_TABLE, route->table);
	mnl_attr_put_u32(message, RTA_PRIORITY, route->metric);
	if (route->to.bits)
		mnl_attr_put(message, RTA_DST, route->to.ip.len, route->to.ip.octet);
	if (route->gateway.len)
		mnl_attr_put(message, RTA_GATEWAY, route->gateway.len, route->gateway.octet);
	if (!route->unreachable)
		mnl_attr_put_u32(message, RTA_OIF, route->link);
	return channel_ask(channel, message, NULL, NULL);
}

int routes_add(struct channel *channel, const struct route *route)
{
	return change_route(channel, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);
}

int routes_remove(struct channel *channel, const struct route *route)
{
	return change_route(channel, RTM_DELROUTE, 0, route);
}

static int change_rule(struct channel *channel, uint16_t type, uint16_t flags,
		       const struct fwmark_rule *rule)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message = start(buffer, type, NLM_F_ACK | flags);
	struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(message, sizeof *frh);

	*frh = (struct fib_rule_hdr){
		.family = rule->family == FAMILY_IPV4 ? AF_INET : AF_INET6,
		.action = FR_ACT_TO_TBL,
	};
	mnl_attr_put_u32(message, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u32(message, FRA_FWMARK, rule->mark.host);
	mnl_attr_put_u32(message, FRA_FWMASK, rule->mask.host);
	mnl_attr_put_u32(message, FRA_TABLE, rule->table);
	mnl_attr_put_u8(message, FRA_PROTOCOL, PROTOCOL_OUTBIND);
	return channel_ask(channel, message, NULL, NULL);
}

int routes_add_rule(struct channel *channel, const struct fwmark_rule *rule)
{
	return change_rule(channel, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

int routes_remove_rule(struct channel *channel, const struct fwmark_rule *rule)
{
	return change_rule(channel, RTM_DELRULE, 0, rule);
}

static struct nlmsghdr *about_neighbour(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t type,
					uint16_t flags, const struct ip *ip, uint32_t link)
{
	struct nlmsghdr *message = start(buffer, type, flags);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(message, sizeof *ndm);

	*ndm = (struct ndmsg){ .ndm_family = family_of(ip), .ndm_ifindex = (int)link };
	mnl_attr_put(message, NDA_DST, ip->len, ip->octet);
	return message;
}

static int take_state(const struct nlmsghdr *message, void *context)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(message);
	unsigned *state = context;

	if (message->nlmsg_type == RTM_NEWNEIGH &&
	    mnl_nlmsg_get_payload_len(message) >= sizeof *ndm)
		*state = ndm->ndm_state;
	return 0;
}

/*
 * Using an entry asks only if nothing is known. One that answered lately would be believed for up to
 * 45 s (base_reachable_time), so it is told to be in doubt: it keeps its address while it is asked.
 */
static int ask_neighbour(struct channel *channel, const struct ip *ip, uint32_t link,
			 unsigned state)
{
	bool known = state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY);
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message =
		about_neighbour(buffer, RTM_NEWNEIGH,
				NLM_F_ACK | (known ? NLM_F_REPLACE : NLM_F_CREATE), ip, link);
	struct ndmsg *ndm = mnl_nlmsg_get_payload(message);

	ndm->ndm_state = known ? NUD_PROBE : NUD_NONE;
	ndm->ndm_flags = known ? 0 : NTF_USE;
	return channel_ask(channel, message, NULL, NULL);
}

int routes_read_neighbour(struct channel *channel, const struct ip *ip, uint32_t link, bool ask,
			  enum neighbour *ret)
{
	char buffer[CHANNEL_REQUEST_ROOM];
	unsigned state = NUD_NONE;
	struct nlmsghdr *message = about_neighbour(buffer, RTM_GETNEIGH, NLM_F_ACK, ip, link);
	int r = channel_ask(channel, message, take_state, &state);

	if (r < 0 && r != -ENOENT)
		return r;
	*ret = state == NUD_NONE	? NEIGHBOUR_UNKNOWN
	       : state & NUD_INCOMPLETE ? NEIGHBOUR_ASKED
	       : state & NUD_FAILED	? NEIGHBOUR_SILENT
					: NEIGHBOUR_THERE;
	/* Using a fixed entry would take its permanence (__neigh_update, NEIGH_UPDATE_F_USE). */
	if (!ask || state & (NUD_PERMANENT | NUD_NOARP | NUD_INCOMPLETE | NUD_PROBE))
		return 0;
	return ask_neighbour(channel, ip, link, state);
}
