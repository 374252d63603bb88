/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses, AnyIP prefixes, on-link prefixes and fwmark rules, by rtnetlink dumps.
 *
 * Messages are read as they come, without building object caches: the main table of a host may
 * hold a full BGP table, of which we want a handful of routes. Strict checking lets the kernel
 * leave out other tables and types (NETLINK_GET_STRICT_CHK, Linux 4.20); what it cannot filter,
 * or does not, is filtered here again. Half a second for a million IPv4 routes.
 *
 * A dump that something changed under is done again, a few times. Its neighbours are notices.c,
 * which says when to read again, and plan/, which judges.
 */
#include "kernel/facts.h"

#include "base/mem.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { DUMP_TRIES = 8, RECEIVE_BUFFER = 1 << 20 };

/*
 * Nobody is on-link with a seventh of the Internet: 0.0.0.0/1 on a tunnel is a default route in
 * disguise, and taking it for "connected" would let everything past the policy.
 */
enum { CONNECTED_MIN_BITS4 = 8, CONNECTED_MIN_BITS6 = 16 };

struct reading {
	struct facts facts;
	unsigned name_index;			/* interface whose name was asked for last */
	char name[IF_NAMESIZE];
};

static void reading_drop(struct reading *reading)
{
	facts_drop(&reading->facts);
}

static int errno_of(int nl_error)
{
	switch (-nl_error) {
	case NLE_SUCCESS:
		return 0;
	case NLE_DUMP_INTR:
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_OPNOTSUPP:
	case NLE_AF_NOSUPPORT:
		return -EOPNOTSUPP;
	case NLE_NOMEM:
		return -ENOBUFS;
	}
	return -EIO;
}

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

/* Dumps come grouped by interface, so remembering one name saves nearly all lookups. */
static const char *interface_name(struct reading *reading, unsigned index)
{
	if (index != reading->name_index) {
		if (!if_indextoname(index, reading->name))
			reading->name[0] = '\0';
		reading->name_index = index;
	}
	return reading->name;
}

static int take_address(struct nl_msg *msg, void *context)
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
	snprintf(address.interface, sizeof address.interface, "%s",
		 interface_name(reading, ifa->ifa_index));
	PUSH(&reading->facts.addresses, address);
	return NL_OK;
}

static bool is_connected(const struct rtmsg *rtm, const struct prefix *prefix)
{
	if (prefix->bits == prefix->ip.len * 8)
		return false;
	if (rtm->rtm_family == AF_INET)
		return rtm->rtm_scope == RT_SCOPE_LINK && prefix->bits >= CONNECTED_MIN_BITS4;
	/* IPv6 routes have no scope: on-link are those by an address, or by a router's word. */
	return (rtm->rtm_protocol == RTPROT_KERNEL || rtm->rtm_protocol == RTPROT_RA) &&
	       prefix->bits >= CONNECTED_MIN_BITS6 && prefix->ip.octet[0] != 0xff &&
	       !(prefix->ip.octet[0] == 0xfe && (prefix->ip.octet[1] & 0xc0) == 0x80);
}

static int take_route(struct nl_msg *msg, void *context)
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
	    rtm->rtm_scope != RT_SCOPE_LINK)
		return NL_SKIP;
	if (rtm->rtm_flags & RTM_F_CLONED ||
	    nlmsg_parse(header, sizeof *rtm, attributes, RTA_MAX, NULL) < 0 ||
	    !read_ip(attributes[RTA_DST], rtm->rtm_family, &prefix.ip))
		return NL_SKIP;
	prefix.bits = rtm->rtm_dst_len;
	if (rtm->rtm_type == RTN_LOCAL && rtm->rtm_table == RT_TABLE_LOCAL)
		PUSH(&reading->facts.local, prefix);
	else if (rtm->rtm_type == RTN_UNICAST && rtm->rtm_table == RT_TABLE_MAIN &&
		 !attributes[RTA_GATEWAY] && !attributes[RTA_VIA] && is_connected(rtm, &prefix))
		PUSH(&reading->facts.connected, prefix);
	return NL_OK;
}

static int take_rule(struct nl_msg *msg, void *context)
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
	/* The kernel leaves a mark of 0 out and gives its mask alone (fib_nl_fill_rule). */
	if (!attributes[FRA_FWMARK] && !attributes[FRA_FWMASK])
		return NL_SKIP;
	if (attributes[FRA_FWMARK])
		rule.mark.host = nla_get_u32(attributes[FRA_FWMARK]);
	if (attributes[FRA_FWMASK])
		rule.mask.host = nla_get_u32(attributes[FRA_FWMASK]);
	if (attributes[FRA_PRIORITY])
		rule.priority = nla_get_u32(attributes[FRA_PRIORITY]);
	rule.table = attributes[FRA_TABLE] ? nla_get_u32(attributes[FRA_TABLE]) : frh->table;
	rule.family = frh->family == AF_INET ? FAMILY_IPV4 : FAMILY_IPV6;
	PUSH(&reading->facts.fwmark_rules, rule);
	return NL_OK;
}

static int dump(struct nl_sock *socket, struct reading *reading, int type, void *body, size_t len,
		nl_recvmsg_msg_cb_t take)
{
	int r;

	r = nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, take, reading);
	if (r >= 0)
		r = nl_send_simple(socket, type, NLM_F_DUMP, body, len);
	if (r >= 0)
		r = nl_recvmsgs_default(socket);
	return r < 0 ? errno_of(r) : 0;
}

static int dump_routes(struct nl_sock *socket, struct reading *reading)
{
	struct rtmsg wanted[] = {
		{ .rtm_family = AF_INET, .rtm_table = RT_TABLE_LOCAL, .rtm_type = RTN_LOCAL },
		{ .rtm_family = AF_INET6, .rtm_table = RT_TABLE_LOCAL, .rtm_type = RTN_LOCAL },
		{ .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST },
		{ .rtm_family = AF_INET6, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST,
		  .rtm_protocol = RTPROT_KERNEL },
		{ .rtm_family = AF_INET6, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST,
		  .rtm_protocol = RTPROT_RA },
	};

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		int r = dump(socket, reading, RTM_GETROUTE, &wanted[i], sizeof wanted[i],
			     take_route);

		/* A table that nothing was ever put into is not there, nor IPv6 where it is off. */
		if (r < 0 && r != -ENOENT && r != -EOPNOTSUPP)
			return r;
	}
	return 0;
}

static int dump_all(struct nl_sock *socket, struct reading *reading)
{
	struct ifaddrmsg addresses = { .ifa_family = AF_UNSPEC };
	struct fib_rule_hdr rules = { .family = AF_UNSPEC };
	int r;

	r = dump(socket, reading, RTM_GETADDR, &addresses, sizeof addresses, take_address);
	if (r == 0)
		r = dump_routes(socket, reading);
	if (r == 0)
		r = dump(socket, reading, RTM_GETRULE, &rules, sizeof rules, take_rule);
	return r;
}

static int by_address(const void *left, const void *right)
{
	const struct local_address *a = left, *b = right;
	int c = ip_compare(&a->ip, &b->ip);

	return c ? c : strcmp(a->interface, b->interface);
}

static int by_prefix(const void *left, const void *right)
{
	const struct prefix *a = left, *b = right;
	int c = ip_compare(&a->ip, &b->ip);

	return c ? c : (a->bits > b->bits) - (a->bits < b->bits);
}

static int address_by_ip(const void *key, const void *element)
{
	const struct local_address *address = element;

	return ip_compare(key, &address->ip);
}

/* Sort, drop duplicates (the same prefix by two metrics), and host prefixes of own addresses. */
static size_t tidy_prefixes(const struct facts *facts, struct prefix *at, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(at, n, sizeof *at, by_prefix);
	for (size_t i = 0; i < n; i++) {
		if (kept && by_prefix(&at[kept - 1], &at[i]) == 0)
			continue;
		if (at[i].bits == at[i].ip.len * 8 && facts->addresses.n &&
		    bsearch(&at[i].ip, facts->addresses.at, facts->addresses.n,
			    sizeof *facts->addresses.at, address_by_ip))
			continue;
		at[kept++] = at[i];
	}
	return kept;
}

static void tidy(struct facts *facts)
{
	if (facts->addresses.n)
		qsort(facts->addresses.at, facts->addresses.n, sizeof *facts->addresses.at,
		      by_address);
	facts->local.n = tidy_prefixes(facts, facts->local.at, facts->local.n);
	facts->connected.n = tidy_prefixes(facts, facts->connected.at, facts->connected.n);
}

static int open_socket(struct nl_sock **ret_socket)
{
	struct nl_sock *socket = nl_socket_alloc();
	int on = 1, r;

	if (!socket)
		abort();
	r = nl_connect(socket, NETLINK_ROUTE);
	if (r < 0) {
		nl_socket_free(socket);
		return errno_of(r);
	}
	/* Without it we get more than we ask for, and take_*() skip that. */
	(void)setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
			 sizeof on);
	(void)nl_socket_set_buffer_size(socket, RECEIVE_BUFFER, 0);
	nl_socket_set_msg_buf_size(socket, 64 * 1024);
	*ret_socket = socket;
	return 0;
}

static void socket_drop(struct nl_sock **socket)
{
	nl_socket_free(*socket);
}

/* Give @ret what was read; what @ret had goes to @reading, to be dropped with it. */
static void hand_over(struct reading *reading, struct facts *ret)
{
	struct facts old = *ret;

	*ret = reading->facts;
	ret->cgroup_ids = old.cgroup_ids;
	ret->execs = old.execs;
	ret->n_execs = old.n_execs;
	ret->suspended = old.suspended;
	old.cgroup_ids = NULL;
	old.execs = NULL;
	old.n_execs = 0;
	old.suspended = NULL;
	reading->facts = old;
}

int facts_read(struct facts *ret)
{
	int r = -EAGAIN;

	for (int i = 0; i < DUMP_TRIES && r == -EAGAIN; i++) {
		AUTO(reading_drop) struct reading reading = { 0 };
		AUTO(socket_drop) struct nl_sock *socket = NULL;

		/* A new socket each time: the rest of an interrupted dump goes with the old one. */
		r = open_socket(&socket);
		if (r == 0)
			r = dump_all(socket, &reading);
		if (r == 0) {
			tidy(&reading.facts);
			hand_over(&reading, ret);
		}
	}
	return r;
}
