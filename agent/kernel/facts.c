/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links, addresses, AnyIP prefixes, on-link prefixes and routing rules, by rtnetlink dumps.
 *
 * Messages are read as they come, without building object caches: the main table of a host may
 * hold a full BGP table, of which we want a handful of routes. Strict checking lets the kernel
 * leave out other tables and types (NETLINK_GET_STRICT_CHK, Linux 4.20); what it cannot filter,
 * or does not, is filtered by facts_messages.c again. Half a second for a million IPv4 routes.
 *
 * A dump that something changed under is done again, a few times. Its neighbours are notices.c,
 * which says when to read again, and plan/, which judges.
 */
#include "kernel/facts.h"

#include "base/mem.h"
#include "kernel/rp_filter.h"
#include "kernel/facts_messages.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { DUMP_TRIES = 8, RECEIVE_BUFFER = 1 << 20 };

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
			     facts_take_route);

		/* A table that nothing was ever put into is not there, nor IPv6 where it is off. */
		if (r < 0 && r != -ENOENT && r != -EOPNOTSUPP)
			return r;
	}
	return 0;
}

/* Last of all, as it leaves the rest of the dump in the socket: a BGP table is not read for it. */
static int look_for_way6(struct nl_sock *socket, struct reading *reading)
{
	struct rtmsg wanted = { .rtm_family = AF_INET6, .rtm_table = RT_TABLE_MAIN,
				.rtm_type = RTN_UNICAST };
	int r;

	if (reading->way_out[FAMILY_IPV6])
		return 0;
	r = dump(socket, reading, RTM_GETROUTE, &wanted, sizeof wanted, facts_take_any_route6);
	return r == -ENOENT || r == -EOPNOTSUPP ? 0 : r;
}

static int dump_links(struct nl_sock *socket, struct reading *reading)
{
	struct {
		struct ifinfomsg any;
		struct nlattr head;
		uint32_t without;
	} wanted = { .head = { sizeof wanted.head + sizeof wanted.without, IFLA_EXT_MASK },
		     .without = RTEXT_FILTER_SKIP_STATS };

	return dump(socket, reading, RTM_GETLINK, &wanted, sizeof wanted, facts_take_link);
}

static int dump_all(struct nl_sock *socket, struct reading *reading)
{
	struct ifaddrmsg addresses = { .ifa_family = AF_UNSPEC };
	struct fib_rule_hdr rules = { .family = AF_UNSPEC };
	int r;

	r = dump_links(socket, reading);
	if (r == 0)
		r = dump(socket, reading, RTM_GETADDR, &addresses, sizeof addresses,
			 facts_take_address);
	if (r == 0)
		r = dump_routes(socket, reading);
	if (r == 0)
		r = dump(socket, reading, RTM_GETRULE, &rules, sizeof rules, facts_take_rule);
	return r == 0 ? look_for_way6(socket, reading) : r;
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
static void tidy_local(struct facts *facts)
{
	struct prefix *at = facts->local.at;
	size_t n = facts->local.n, kept = 0;

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
	facts->local.n = kept;
}

static int by_prefix_and_link(const void *left, const void *right)
{
	const struct on_link *a = left, *b = right;
	int c = by_prefix(&a->prefix, &b->prefix);

	return c ? c : (a->link > b->link) - (a->link < b->link);
}

static void tidy_connected(struct facts *facts)
{
	struct on_link *at = facts->connected.at;
	size_t n = facts->connected.n, kept = 0;

	if (n)
		qsort(at, n, sizeof *at, by_prefix_and_link);
	for (size_t i = 0; i < n; i++)
		if (!kept || by_prefix_and_link(&at[kept - 1], &at[i]) != 0)
			at[kept++] = at[i];
	facts->connected.n = kept;
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct link *)left)->name, ((const struct link *)right)->name);
}

static void tidy(struct reading *reading)
{
	struct facts *facts = &reading->facts;

	if (facts->addresses.n)
		qsort(facts->addresses.at, facts->addresses.n, sizeof *facts->addresses.at,
		      by_address);
	if (facts->links.n)
		qsort(facts->links.at, facts->links.n, sizeof *facts->links.at, by_name);
	tidy_local(facts);
	tidy_connected(facts);
	for (int f = 0; f < FAMILIES; f++)
		facts->no_way_out[f] = !reading->way_out[f];
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
	struct facts old = *ret, *read = &reading->facts;

	*ret = *read;
	ret->claiming = old.claiming;
	ret->conflicts = old.conflicts;
	ret->uplinks = old.uplinks;
	ret->binding_probes = old.binding_probes;
	ret->uplink_probes = old.uplink_probes;
	ret->cgroup_ids = old.cgroup_ids;
	ret->formers = old.formers;
	ret->n_formers = old.n_formers;
	ret->execs = old.execs;
	ret->n_execs = old.n_execs;
	ret->suspended = old.suspended;
	ret->shares = old.shares;
	ret->warmups = old.warmups;
	ret->identities = old.identities;
	*read = (struct facts){ .addresses = old.addresses, .local = old.local,
				.connected = old.connected, .fwmark_rules = old.fwmark_rules,
				.links = old.links };
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
			tidy(&reading);
			rp_filter_read(reading.facts.links.at, reading.facts.links.n);
			hand_over(&reading, ret);
		}
	}
	return r;
}
