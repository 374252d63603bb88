/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one message of a dump says. Most messages on a router are routes that are of no concern, so
 * those are let go before anything of them is parsed. Neighbours: facts.c, which asks.
 */
#include "kernel/facts_messages.h"

#include "base/mem.h"

#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/*
 * Nobody is on-link with a seventh of the Internet: 0.0.0.0/1 on a tunnel is a default route in
 * disguise, and taking it for "connected" would let everything past the policy.
 */
enum { CONNECTED_MIN_BITS4 = 8, CONNECTED_MIN_BITS6 = 16 };

/* An address attribute; false if it is not of @family's length. */
static bool read_ip(const struct nlattr *attribute, int family, struct ip *ret_ip)
{
	struct ip ip = { .len = family == AF_INET ? 4 : 16 };

	if (!attribute || nla_len(attribute) < ip.len)
		return false;
	memcpy(ip.octet, nla_data(attribute), ip.len);
	*ret_ip = ip;
	return true;
}

/* Dumps come grouped by interface, so remembering one saves nearly all searches. */
static const char *interface_name(struct reading *reading, unsigned index)
{
	const struct link *at = reading->facts.links.at;
	size_t n = reading->facts.links.n;

	if (reading->near < n && at[reading->near].index == index)
		return at[reading->near].name;
	for (size_t i = 0; i < n; i++) {
		if (at[i].index == index) {
			reading->near = i;
			return at[i].name;
		}
	}
	return "";				/* it came after the links were read: read again soon */
}

int facts_take_link(struct nl_msg *msg, void *context)
{
	struct reading *reading = context;
	struct nlattr *attributes[IFLA_MAX + 1];
	struct nlmsghdr *header = nlmsg_hdr(msg);
	const struct ifinfomsg *ifi = nlmsg_data(header);
	const unsigned quiet = IFF_LOOPBACK | IFF_POINTOPOINT | IFF_NOARP;
	struct link link = { 0 };

	if (header->nlmsg_type != RTM_NEWLINK || !nlmsg_valid_hdr(header, sizeof *ifi) ||
	    ifi->ifi_family != AF_UNSPEC ||
	    nlmsg_parse(header, sizeof *ifi, attributes, IFLA_MAX, NULL) < 0 ||
	    !attributes[IFLA_IFNAME])
		return NL_SKIP;
	snprintf(link.name, sizeof link.name, "%.*s", nla_len(attributes[IFLA_IFNAME]),
		 nla_get_string(attributes[IFLA_IFNAME]));
	link.index = (uint32_t)ifi->ifi_index;
	link.mtu = attributes[IFLA_MTU] ? nla_get_u32(attributes[IFLA_MTU]) : 0;
	link.up = (ifi->ifi_flags & IFF_UP) && (ifi->ifi_flags & IFF_LOWER_UP);
	if (ifi->ifi_type == ARPHRD_ETHER && attributes[IFLA_ADDRESS] &&
	    nla_len(attributes[IFLA_ADDRESS]) == sizeof link.mac) {
		memcpy(link.mac, nla_data(attributes[IFLA_ADDRESS]), sizeof link.mac);
		link.asks = !(ifi->ifi_flags & quiet);
	}
	PUSH(&reading->facts.links, link);
	return NL_OK;
}

int facts_take_address(struct nl_msg *msg, void *context)
{
	struct reading *reading = context;
	struct nlattr *attributes[IFA_MAX + 1];
	struct nlmsghdr *header = nlmsg_hdr(msg);
	const struct ifaddrmsg *ifa = nlmsg_data(header);
	struct local_address address = { 0 };
	uint32_t flags;

	if (header->nlmsg_type != RTM_NEWADDR ||
	    nlmsg_parse(header, sizeof *ifa, attributes, IFA_MAX, NULL) < 0 ||
	    (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return NL_SKIP;
	/* On a point-to-point link IFA_ADDRESS is the peer's and IFA_LOCAL is ours. */
	if (!read_ip(attributes[IFA_LOCAL], ifa->ifa_family, &address.ip) &&
	    !read_ip(attributes[IFA_ADDRESS], ifa->ifa_family, &address.ip))
		return NL_SKIP;
	flags = attributes[IFA_FLAGS] ? nla_get_u32(attributes[IFA_FLAGS]) : ifa->ifa_flags;
	/* An optimistic address is tentative by flag and may be used all the same (RFC 4429). */
	address.tentative = (flags & IFA_F_TENTATIVE) != 0 && !(flags & IFA_F_OPTIMISTIC);
	address.duplicate = (flags & IFA_F_DADFAILED) != 0;
	if (attributes[IFA_PROTO])
		address.protocol = nla_get_u8(attributes[IFA_PROTO]);
	snprintf(address.interface, sizeof address.interface, "%s",
		 interface_name(reading, ifa->ifa_index));
	PUSH(&reading->facts.addresses, address);
	return NL_OK;
}

/* Multicast or link-local: such a route leads to nobody else's network. */
static bool is_local6(const struct prefix *prefix)
{
	return prefix->ip.octet[0] == 0xff ||
	       (prefix->ip.octet[0] == 0xfe && (prefix->ip.octet[1] & 0xc0) == 0x80);
}

static bool is_connected(const struct rtmsg *rtm, const struct prefix *prefix)
{
	if (prefix->bits == prefix->ip.len * 8)
		return false;
	if (rtm->rtm_family == AF_INET)
		return rtm->rtm_scope == RT_SCOPE_LINK && prefix->bits >= CONNECTED_MIN_BITS4;
	/* IPv6 routes have no scope: on-link are those by an address, or by a router's word. */
	return (rtm->rtm_protocol == RTPROT_KERNEL || rtm->rtm_protocol == RTPROT_RA) &&
	       prefix->bits >= CONNECTED_MIN_BITS6 && !is_local6(prefix);
}

/* The main table: does the family lead out, and by which interface as a rule. */
static void take_way(struct reading *reading, const struct rtmsg *rtm,
		     struct nlattr *attributes[], const struct prefix *prefix)
{
	enum family family = rtm->rtm_family == AF_INET ? FAMILY_IPV4 : FAMILY_IPV6;

	if (rtm->rtm_type != RTN_UNICAST || rtm->rtm_table != RT_TABLE_MAIN ||
	    (family == FAMILY_IPV6 && is_local6(prefix)))
		return;
	reading->way_out[family] = true;
	if (rtm->rtm_dst_len == 0 && attributes[RTA_OIF] && !reading->facts.main_link[family])
		reading->facts.main_link[family] = nla_get_u32(attributes[RTA_OIF]);
}

int facts_take_route(struct nl_msg *msg, void *context)
{
	struct reading *reading = context;
	struct nlattr *attributes[RTA_MAX + 1];
	struct nlmsghdr *header = nlmsg_hdr(msg);
	const struct rtmsg *rtm = nlmsg_data(header);
	struct prefix prefix = { 0 };

	if (header->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr(header, sizeof *rtm) ||
	    (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6))
		return NL_SKIP;
	/* Before anything is parsed: on a router nearly every message ends here. */
	if (rtm->rtm_type == RTN_UNICAST && rtm->rtm_family == AF_INET &&
	    rtm->rtm_scope != RT_SCOPE_LINK && rtm->rtm_dst_len > 0) {
		reading->way_out[FAMILY_IPV4] |= rtm->rtm_table == RT_TABLE_MAIN;
		return NL_SKIP;
	}
	if (rtm->rtm_flags & RTM_F_CLONED ||
	    nlmsg_parse(header, sizeof *rtm, attributes, RTA_MAX, NULL) < 0)
		return NL_SKIP;
	prefix.bits = rtm->rtm_dst_len;
	prefix.ip.len = rtm->rtm_family == AF_INET ? 4 : 16;
	if (rtm->rtm_dst_len && !read_ip(attributes[RTA_DST], rtm->rtm_family, &prefix.ip))
		return NL_SKIP;
	take_way(reading, rtm, attributes, &prefix);
	if (rtm->rtm_type == RTN_LOCAL && rtm->rtm_table == RT_TABLE_LOCAL)
		PUSH(&reading->facts.local, prefix);
	else if (rtm->rtm_type == RTN_UNICAST && rtm->rtm_table == RT_TABLE_MAIN &&
		 !attributes[RTA_GATEWAY] && !attributes[RTA_VIA] && attributes[RTA_OIF] &&
		 is_connected(rtm, &prefix))
		PUSH(&reading->facts.connected,
		     ((struct on_link){ prefix, nla_get_u32(attributes[RTA_OIF]) }));
	return NL_OK;
}

int facts_take_any_route6(struct nl_msg *msg, void *context)
{
	struct reading *reading = context;

	(void)facts_take_route(msg, context);
	return reading->way_out[FAMILY_IPV6] ? NL_STOP : NL_OK;
}

/* One of the rules that every host has: 0 local, 32766 main, 32767 default. */
static bool is_built_in(const struct fwmark_rule *rule)
{
	return (rule->priority == 0 && rule->table == RT_TABLE_LOCAL) ||
	       (rule->priority == 32766 && rule->table == RT_TABLE_MAIN) ||
	       (rule->priority == 32767 && rule->table == RT_TABLE_DEFAULT);
}

int facts_take_rule(struct nl_msg *msg, void *context)
{
	struct reading *reading = context;
	struct nlattr *attributes[FRA_MAX + 1];
	struct nlmsghdr *header = nlmsg_hdr(msg);
	const struct fib_rule_hdr *frh = nlmsg_data(header);
	struct fwmark_rule rule = { .mask = { UINT32_MAX } };

	if (header->nlmsg_type != RTM_NEWRULE ||
	    nlmsg_parse(header, sizeof *frh, attributes, FRA_MAX, NULL) < 0 ||
	    (frh->family != AF_INET && frh->family != AF_INET6))
		return NL_SKIP;
	if (attributes[FRA_FWMARK])
		rule.mark.host = nla_get_u32(attributes[FRA_FWMARK]);
	if (attributes[FRA_FWMASK])
		rule.mask.host = nla_get_u32(attributes[FRA_FWMASK]);
	if (attributes[FRA_PRIORITY])
		rule.priority = nla_get_u32(attributes[FRA_PRIORITY]);
	if (attributes[FRA_PROTOCOL])
		rule.protocol = nla_get_u8(attributes[FRA_PROTOCOL]);
	rule.table = attributes[FRA_TABLE] ? nla_get_u32(attributes[FRA_TABLE]) : frh->table;
	rule.family = frh->family == AF_INET ? FAMILY_IPV4 : FAMILY_IPV6;
	/* Where other tables are asked, only the kernel can tell what leads out. */
	if (rule.protocol != PROTOCOL_OUTBIND && !is_built_in(&rule))
		reading->way_out[rule.family] = true;
	/* The kernel leaves a mark of 0 out and gives its mask alone (fib_nl_fill_rule). */
	if (attributes[FRA_FWMARK] || attributes[FRA_FWMASK])
		PUSH(&reading->facts.fwmark_rules, rule);
	return NL_OK;
}
