/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See destroy.h; the protocol is sock_diag(7) and net/ipv4/inet_diag.c. The kernel looks a socket up
 * by its tuple, but also takes a listener, an unconnected socket or one bound to another device
 * for it. So sockets are dumped, compared here, and aborted by cookie.
 */
#include "kernel/destroy.h"

#include "base/mem.h"
#include "base/sockaddr.h"
#include "kernel/attributes.h"
#include "kernel/diag.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

/* Every state but LISTEN, TIME_WAIT and CLOSE; what is connected, of UDP. */
#define STATES_TCP	(1u << TCP_ESTABLISHED | 1u << TCP_SYN_SENT | 1u << TCP_SYN_RECV | \
			 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT | \
			 1u << TCP_LAST_ACK | 1u << TCP_CLOSING)
#define STATES_UDP	(1u << TCP_ESTABLISHED)

struct wanted { const struct connection *connection; size_t at; };
struct found { struct inet_diag_sockid id; uint8_t family; size_t at; };

struct searching {				/* one dump */
	struct wanted *wanted;			/* sorted by tuple */
	size_t n;
	uint8_t protocol;
	struct { struct found *at; size_t n, room; } found;
};

static int by_tuple(const void *left, const void *right)
{
	const struct connection *a = ((const struct wanted *)left)->connection;
	const struct connection *b = ((const struct wanted *)right)->connection;
	int c = (int)a->protocol - (int)b->protocol;

	if (c == 0)
		c = (int)a->from_port - (int)b->from_port;
	if (c == 0)
		c = (int)a->to_port - (int)b->to_port;
	if (c == 0)
		c = ip_compare(&a->to, &b->to);
	return c != 0 ? c : ip_compare(&a->from, &b->from);
}

static void forget_found(void *context)
{
	((struct searching *)context)->found.n = 0;
}

static int visit_socket(const struct nlmsghdr *message, void *context)
{
	struct searching *searching = context;
	const struct inet_diag_msg *diag = mnl_nlmsg_get_payload(message);
	struct connection connection = { .protocol = searching->protocol };
	struct wanted key = { .connection = &connection };
	const struct wanted *match;

	if (mnl_nlmsg_get_payload_len(message) < sizeof *diag)
		return 0;
	connection.from = diag_ip(diag->id.idiag_src, diag->idiag_family);
	connection.to = diag_ip(diag->id.idiag_dst, diag->idiag_family);
	connection.from_port = ntohs(diag->id.idiag_sport);
	connection.to_port = ntohs(diag->id.idiag_dport);
	match = bsearch(&key, searching->wanted, searching->n, sizeof key, by_tuple);
	if (match)
		PUSH(&searching->found,
		     ((struct found){ diag->id, diag->idiag_family, match->at }));
	return 0;
}

static int search(struct channel *diag, uint8_t family, struct searching *searching)
{
	struct inet_diag_req_v2 request = {
		.sdiag_family = family, .sdiag_protocol = searching->protocol,
		.idiag_states = searching->protocol == IPPROTO_TCP ? STATES_TCP : STATES_UDP,
	};
	char buffer[CHANNEL_REQUEST_ROOM];
	struct nlmsghdr *message = diag_request(buffer, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request);
	int r = channel_dump(diag, message, forget_found, visit_socket, searching);

	return r == -ENOENT ? 0 : r;		/* a protocol this kernel cannot list has none */
}

static int abort_socket(struct channel *diag, const struct found *found, uint8_t protocol)
{
	struct inet_diag_req_v2 request = { .sdiag_family = found->family,
					    .sdiag_protocol = protocol, .id = found->id };
	char buffer[CHANNEL_REQUEST_ROOM];
	int r = channel_ask(diag, diag_request(buffer, SOCK_DESTROY, NLM_F_ACK, &request), NULL,
			    NULL);

	return r == -ENOENT || r == -ESTALE ? 0 : r;	/* gone meanwhile, or another one by now */
}

static int destroy_some(struct searching *searching, uint8_t family, enum socket_fate *ret_fates,
			int *reterr)
{
	AUTO(channel_drop) struct channel diag = { 0 };
	int r = channel_open_bus(NETLINK_SOCK_DIAG, &diag);

	if (r == 0)
		r = search(&diag, family, searching);
	for (size_t i = 0; i < searching->found.n && r == 0; i++) {
		const struct found *found = &searching->found.at[i];
		int failed = abort_socket(&diag, found, searching->protocol);

		ret_fates[found->at] = failed ? SOCKET_LIVES : SOCKET_ENDED;
		if (failed && *reterr == 0)
			*reterr = failed;
	}
	free(searching->found.at);
	searching->found.at = NULL;
	searching->found.n = searching->found.room = 0;
	return r;
}

int destroy_sockets(const struct flows *flows, enum socket_fate *ret_fates, int *reterr)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct wanted *AUTO(mem_drop) wanted = mem_zero(flows->n, sizeof *wanted);
	struct searching searching = { .wanted = wanted, .n = flows->n };
	bool asked[UINT8_MAX + 1] = { false };
	int r = 0;

	for (size_t i = 0; i < flows->n; i++) {
		wanted[i] = (struct wanted){ &flows->at[i].connection, i };
		asked[flows->at[i].connection.protocol] = true;
	}
	qsort(wanted, flows->n, sizeof *wanted, by_tuple);
	for (size_t i = 0; i < ARRAY_LEN(protocols) && r == 0; i++) {
		searching.protocol = protocols[i];
		if (asked[protocols[i]])
			r = destroy_some(&searching, AF_INET, ret_fates, reterr);
		/* IPv4 here too: a socket for both families is listed as IPv6. */
		if (asked[protocols[i]] && r == 0)
			r = destroy_some(&searching, AF_INET6, ret_fates, reterr);
	}
	return r;
}

struct marking { struct fwmark mask; destroy_visit_mark *visit; void *context; };

static void forget_nothing(void *context)
{
	(void)context;				/* what was seen once was carried */
}

static int visit_mark(const struct nlmsghdr *message, void *context)
{
	const struct marking *marking = context;
	const struct nlattr *attr;
	uint32_t mark;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct inet_diag_msg))
		return 0;
	attr = attributes_find(attributes_of(message, sizeof(struct inet_diag_msg)),
			       INET_DIAG_MARK);
	if (!attr || mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
		return 0;
	mark = mnl_attr_get_u32(attr) & marking->mask.host;
	if (mark != 0)
		marking->visit(mark, marking->context);
	return 0;
}

/*
 * Have the kernel leave out sockets without any of our bits. Its language says "yes: so many bytes
 * on; no: so many"; at the end of the text the socket is taken, beyond it is not.
 */
static void put_filter(struct nlmsghdr *message, struct fwmark mask)
{
	const struct {
		struct inet_diag_bc_op head;
		struct inet_diag_markcond none;
		struct inet_diag_bc_op skip;
	} text = {
		.head = { .code = INET_DIAG_BC_MARK_COND,
			  .yes = sizeof text.head + sizeof text.none, .no = sizeof text },
		.none = { .mark = 0, .mask = mask.host },
		.skip = { .code = INET_DIAG_BC_JMP, .yes = sizeof text.skip,
			  .no = sizeof text.skip + 4 },
	};

	mnl_attr_put(message, INET_DIAG_REQ_BYTECODE, sizeof text, &text);
}

int destroy_marks(struct fwmark mask, destroy_visit_mark *visit, void *context)
{
	static const uint8_t protocols[] = { IPPROTO_TCP,  IPPROTO_UDP,	 IPPROTO_UDPLITE,
					     IPPROTO_SCTP, IPPROTO_DCCP, IPPROTO_RAW };
	struct marking marking = { mask, visit, context };
	int r = 0;

	for (size_t i = 0; i < 2 * ARRAY_LEN(protocols) && r == 0; i++) {
		AUTO(channel_drop) struct channel diag = { 0 };
		struct inet_diag_req_v2 request = {
			.sdiag_family = i % 2 ? AF_INET6 : AF_INET,
			.sdiag_protocol = protocols[i / 2], .idiag_states = UINT32_MAX,
		};
		char buffer[CHANNEL_REQUEST_ROOM];
		struct nlmsghdr *message = diag_request(buffer, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP,
							&request);

		put_filter(message, mask);
		r = channel_open_bus(NETLINK_SOCK_DIAG, &diag);
		if (r == 0)
			r = channel_dump(&diag, message, forget_nothing, visit_mark, &marking);
		if (r == -ENOENT || r == -EOPNOTSUPP)	/* this kernel has no such sockets */
			r = 0;
	}
	return r;
}

bool destroy_local(const struct ip *ip)
{
	struct sockaddr_storage address;
	socklen_t size = sockaddr_of_ip(ip, 0, &address);
	AUTO(fd_drop) struct fd fd = { socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) };

	return fd.n >= 0 && bind(fd.n, (struct sockaddr *)&address, size) == 0;
}
