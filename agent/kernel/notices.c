/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See notices.h. Two netlink sockets: rtnetlink's multicast groups, and nf_tables' if the table
 * needs watching. What a notice says is not believed but read again, so nothing is kept here.
 *
 * A host with a full BGP table sees hundreds of route changes a second. A filter in the kernel
 * leaves out, before they are queued, all that facts.c would not look at: they neither wake the
 * agent nor push what matters out of the queue.
 */
#include "kernel/notices.h"

#include "base/mem.h"
#include "plan/plan.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/neighbour.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

enum {
	READS_MAX = 64,				/* datagrams taken in by one call, of each socket */
	READ_BYTES = 64 * 1024,
	QUEUE_BYTES = 8 << 20,
};

struct notices {
	struct fd route, nft;
	char *table;
	uint32_t links[NOTICE_LINKS_MAX];	/* whose neighbours are told */
	size_t n_links;
	char buffer[READ_BYTES];
};

#define LOAD_TYPE	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type))
#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN + offsetof(struct rtmsg, field))
#define EQUAL(v, t, f)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (v), (t), (f))

struct filter { struct sock_filter *at; size_t n, room; };

/*
 * Of routes: ours, local ones, and default and on-link ones of the main table. The last two columns
 * are how many lines to skip if equal, if not. Loads of octets are in network order.
 */
static void add_routes(struct filter *filter)
{
	const struct sock_filter lines[] = {
		/*  0 */ EQUAL(htons(RTM_NEWROUTE), 1, 0),
		/*  1 */ EQUAL(htons(RTM_DELROUTE), 0, 17),
		/*  2 */ LOAD(rtm_protocol),
		/*  3 */ EQUAL(PROTOCOL_OUTBIND, 15, 0),
		/*  4 */ LOAD(rtm_type),
		/*  5 */ EQUAL(RTN_LOCAL, 13, 0),
		/*  6 */ EQUAL(RTN_UNICAST, 0, 11),
		/*  7 */ LOAD(rtm_table),
		/*  8 */ EQUAL(RT_TABLE_MAIN, 0, 9),
		/*  9 */ LOAD(rtm_dst_len),
		/* 10 */ EQUAL(0, 8, 0),
		/* 11 */ LOAD(rtm_scope),
		/* 12 */ EQUAL(RT_SCOPE_LINK, 6, 0),
		/* 13 */ LOAD(rtm_family),
		/* 14 */ EQUAL(AF_INET6, 0, 3),
		/* 15 */ LOAD(rtm_protocol),
		/* 16 */ EQUAL(RTPROT_KERNEL, 2, 0),
		/* 17 */ EQUAL(RTPROT_RA, 1, 0),
		/* 18 */ BPF_STMT(BPF_RET | BPF_K, 0),
		/* 19 */ BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		PUSH(filter, lines[i]);
}

static void add_neighbours(struct filter *filter, const uint32_t *links, size_t n)
{
	const struct sock_filter head[] = {
		LOAD_TYPE,
		EQUAL(htons(RTM_NEWNEIGH), 1, 0),
		EQUAL(htons(RTM_DELNEIGH), 0, (uint8_t)(n * 2 + 2)),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_ifindex)),
	};

	for (size_t i = 0; i < ARRAY_LEN(head); i++)
		PUSH(filter, head[i]);
	for (size_t i = 0; i < n; i++) {
		PUSH(filter, ((struct sock_filter)EQUAL(htonl(links[i]), 0, 1)));
		PUSH(filter, ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX)));
	}
	PUSH(filter, ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0)));
}

/* Anything that is neither a neighbour nor a route passes. */
static int set_filter(const struct fd *fd, const uint32_t *links, size_t n)
{
	struct filter filter = { 0 };
	struct sock_fprog program;
	int r;

	add_neighbours(&filter, links, n);
	add_routes(&filter);
	program = (struct sock_fprog){ .len = (unsigned short)filter.n, .filter = filter.at };
	r = setsockopt(fd->n, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno
											  : 0;
	free(filter.at);
	return r;
}

int notices_neighbours(struct notices *notices, const uint32_t *links, size_t n)
{
	int group = RTNLGRP_NEIGH;
	size_t kept = n <= NOTICE_LINKS_MAX ? n : NOTICE_LINKS_MAX;
	int r;

	if (kept == notices->n_links && (kept == 0 || memcmp(links, notices->links,
							      kept * sizeof *links) == 0))
		return 0;
	r = set_filter(&notices->route, links, kept);
	if (r == 0 && setsockopt(notices->route.n, SOL_NETLINK,
				 kept ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group,
				 sizeof group) < 0)
		r = -errno;
	if (r < 0)
		return r;
	notices->n_links = kept;
	if (kept)
		memcpy(notices->links, links, kept * sizeof *links);
	return 0;
}

static int subscribe(int protocol, const int *groups, size_t n, struct fd *ret_fd)
{
	AUTO(fd_drop) struct fd fd = FD_NONE;
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int bytes = QUEUE_BYTES;
	int r = 0;

	fd.n = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd.n < 0)
		return -errno;
	if (setsockopt(fd.n, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
		(void)setsockopt(fd.n, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	if (protocol == NETLINK_ROUTE)
		r = set_filter(&fd, NULL, 0);
	if (r == 0 && bind(fd.n, (struct sockaddr *)&address, sizeof address) < 0)
		r = -errno;
	for (size_t i = 0; r == 0 && i < n; i++)
		if (setsockopt(fd.n, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof groups[i]) < 0)
			r = -errno;
	if (r == 0)
		*ret_fd = fd_take(&fd);
	return r;
}

int notices_open(const char *table, struct notices **ret)
{
	static const int route_groups[] = {
		RTNLGRP_LINK,	     RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
		RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,	  RTNLGRP_IPV6_RULE,
	};
	static const int nft_groups[] = { NFNLGRP_NFTABLES };
	struct notices *notices = mem_zero(1, sizeof *notices);
	int r;

	notices->route = notices->nft = FD_NONE;
	r = subscribe(NETLINK_ROUTE, route_groups, ARRAY_LEN(route_groups), &notices->route);
	if (r == 0 && table) {
		notices->table = mem_copy(table);
		r = subscribe(NETLINK_NETFILTER, nft_groups, ARRAY_LEN(nft_groups), &notices->nft);
	}
	if (r < 0)
		notices_close(notices);
	else
		*ret = notices;
	return r;
}

void notices_close(struct notices *notices)
{
	if (!notices)
		return;
	fd_drop(&notices->route);
	fd_drop(&notices->nft);
	free(notices->table);
	free(notices);
}

void notices_fds(const struct notices *notices, int ret_fds[static 2])
{
	ret_fds[0] = notices->route.n;
	ret_fds[1] = notices->nft.n;
}

/* The bits that one message stands for. */
typedef unsigned judge_message(const struct notices *notices, const struct nlmsghdr *message,
			       unsigned own_port);

static unsigned judge_route(const struct notices *notices, const struct nlmsghdr *message,
			    unsigned own_port)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);

	(void)notices;
	(void)own_port;				/* our own changes are facts as well */
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		/* of another family: a bridge port's state, for one */
		return mnl_nlmsg_get_payload_len(message) >= sizeof *link &&
				       link->ifi_family == AF_UNSPEC
			       ? NOTICE_ADDRESSES
			       : 0;
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return NOTICE_ADDRESSES;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return NOTICE_NEIGHBOURS;
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return NOTICE_RULES;
	}
	return 0;
}

/*
 * The table is attribute 1 of every kind of message: NFTA_TABLE_NAME, NFTA_CHAIN_TABLE,
 * NFTA_RULE_TABLE, NFTA_SET_TABLE, NFTA_SET_ELEM_LIST_TABLE, NFTA_OBJ_TABLE, NFTA_FLOWTABLE_TABLE.
 */
static int find_table(const struct nlattr *attribute, void *context)
{
	const char **table = context;

	if (mnl_attr_get_type(attribute) != NFTA_TABLE_NAME)
		return MNL_CB_OK;
	if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
		*table = mnl_attr_get_str(attribute);
	return MNL_CB_STOP;
}

/* A change of our table by somebody else. NEWGEN names no table; a packet trace is no change. */
static unsigned judge_nft(const struct notices *notices, const struct nlmsghdr *message,
			  unsigned own_port)
{
	const struct nfgenmsg *general = mnl_nlmsg_get_payload(message);
	unsigned type = message->nlmsg_type & 0xffu;
	const char *table = NULL;

	if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || type == NFT_MSG_NEWGEN ||
	    type == NFT_MSG_TRACE || message->nlmsg_pid == own_port ||
	    mnl_nlmsg_get_payload_len(message) < sizeof *general ||
	    general->nfgen_family != NFPROTO_INET)
		return 0;
	if (mnl_attr_parse(message, sizeof *general, find_table, &table) < 0)
		return NOTICE_LOST;
	return table && strcmp(table, notices->table) == 0 ? NOTICE_TABLE : 0;
}

/* One datagram: its notices, or -errno; -EAGAIN when there is none. */
static int read_datagram(struct notices *notices, const struct fd *fd, judge_message *judge,
			 unsigned own_port)
{
	struct sockaddr_nl from = { 0 };
	struct iovec into = { .iov_base = notices->buffer, .iov_len = sizeof notices->buffer };
	struct msghdr header = { .msg_name = &from, .msg_namelen = sizeof from,
				 .msg_iov = &into, .msg_iovlen = 1 };
	ssize_t n = recvmsg(fd->n, &header, MSG_DONTWAIT);
	unsigned found = 0;
	int left = (int)n;

	if (n < 0)
		return errno == ENOBUFS ? NOTICE_LOST : errno == EINTR ? 0 : -errno;
	if (header.msg_flags & MSG_TRUNC)
		return NOTICE_LOST;
	if (from.nl_pid != 0)			/* only the kernel's word counts */
		return 0;
	for (const struct nlmsghdr *message = (const void *)notices->buffer;
	     mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		found |= judge(notices, message, own_port);
	return (int)found;
}

/* What is left after READS_MAX keeps the descriptor readable, so the caller comes again. */
static int read_socket(struct notices *notices, const struct fd *fd, judge_message *judge,
		       unsigned own_port)
{
	int found = 0;

	for (int i = 0; i < READS_MAX && fd->n >= 0; i++) {
		int r = read_datagram(notices, fd, judge, own_port);

		if (r == -EAGAIN)
			break;
		if (r < 0)
			return r;
		found |= r;
	}
	return found;
}

int notices_read(struct notices *notices, unsigned own_port)
{
	int found = read_socket(notices, &notices->route, judge_route, own_port);
	int table = found < 0 ? found : read_socket(notices, &notices->nft, judge_nft, own_port);

	return table < 0 ? table : found | table;
}
