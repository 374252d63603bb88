/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See diag.h; the protocol is net/ipv4/inet_diag.c. */
#include "kernel/diag.h"

#include "kernel/attributes.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#ifndef INET_DIAG_CGROUP_ID
#define INET_DIAG_CGROUP_ID	21		/* include/uapi/linux/inet_diag.h, 5.9 */
#endif

#define STATES_CONNECTED	(UINT32_MAX & ~(1u << TCP_LISTEN))

struct nlmsghdr *diag_request(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t type,
			      uint16_t flags, const struct inet_diag_req_v2 *request)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	memcpy(mnl_nlmsg_put_extra_header(message, sizeof *request), request, sizeof *request);
	return message;
}

struct ip diag_ip(const uint32_t words[static 4], uint8_t family)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *octets = (const void *)words;
	struct ip ip = { .len = family == AF_INET ? 4 : 16 };

	if (family == AF_INET6 && memcmp(octets, mapped, sizeof mapped) == 0) {
		octets += sizeof mapped;
		ip.len = 4;
	}
	memcpy(ip.octet, octets, ip.len);
	return ip;
}

struct answer {
	const struct connection *asked;
	bool found;
	struct socket_owner owner;
};

static bool is_any(const struct ip *ip)
{
	static const uint8_t zeros[16] = { 0 };

	return memcmp(ip->octet, zeros, ip->len) == 0;
}

/* Is it the one that was asked for? One that is not connected has at least the port. */
static bool fits(const struct inet_diag_msg *diag, const struct connection *asked)
{
	struct ip from = diag_ip(diag->id.idiag_src, diag->idiag_family);
	struct ip to = diag_ip(diag->id.idiag_dst, diag->idiag_family);

	if (ntohs(diag->id.idiag_sport) != asked->from_port)
		return false;
	if (diag->id.idiag_dport == 0)
		return asked->protocol != IPPROTO_TCP &&
		       (is_any(&from) || ip_equal(&from, &asked->from));
	return ntohs(diag->id.idiag_dport) == asked->to_port && ip_equal(&from, &asked->from) &&
	       ip_equal(&to, &asked->to);
}

static int visit_owner(const struct nlmsghdr *message, void *context)
{
	struct answer *answer = context;
	const struct inet_diag_msg *diag = mnl_nlmsg_get_payload(message);
	struct attributes all = attributes_of(message, sizeof *diag);
	const struct nlattr *mark, *cgroup;

	if (mnl_nlmsg_get_payload_len(message) < sizeof *diag || !fits(diag, answer->asked))
		return 0;
	mark = attributes_find(all, INET_DIAG_MARK);
	cgroup = attributes_find(all, INET_DIAG_CGROUP_ID);
	answer->owner.uid = diag->idiag_uid;
	answer->owner.inode = diag->idiag_inode;
	if (mark && mnl_attr_validate(mark, MNL_TYPE_U32) == 0)
		answer->owner.mark.host = mnl_attr_get_u32(mark);
	if (cgroup && mnl_attr_validate(cgroup, MNL_TYPE_U64) == 0)
		answer->owner.cgroup = mnl_attr_get_u64(cgroup);
	/* The entry of a closed one (TIME_WAIT) has nobody's uid. */
	answer->found = diag->idiag_inode != 0 || diag->idiag_uid != 0;
	return 0;
}

int diag_owner(struct channel *diag, const struct connection *connection, bool *ret_found,
	       struct socket_owner *ret)
{
	/* Of UDP the far end comes first, "for historical reasons": net/ipv4/udp_diag.c. */
	bool swapped = connection->protocol != IPPROTO_TCP;
	const struct ip *first = swapped ? &connection->to : &connection->from;
	const struct ip *second = swapped ? &connection->from : &connection->to;
	struct inet_diag_req_v2 request = {
		.sdiag_family = first->len == 4 ? AF_INET : AF_INET6,
		.sdiag_protocol = connection->protocol, .idiag_states = UINT32_MAX,
		.id = { .idiag_sport = htons(swapped ? connection->to_port : connection->from_port),
			.idiag_dport = htons(swapped ? connection->from_port : connection->to_port),
			.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } },
	};
	struct answer answer = { .asked = connection };
	char buffer[CHANNEL_REQUEST_ROOM];
	int r;

	memcpy(request.id.idiag_src, first->octet, first->len);
	memcpy(request.id.idiag_dst, second->octet, second->len);
	r = channel_ask_one(diag, diag_request(buffer, SOCK_DIAG_BY_FAMILY, 0, &request),
			    visit_owner, &answer);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_found = r == 0 && answer.found;
	if (*ret_found)
		*ret = answer.owner;
	return 0;
}

struct counting { const struct ip *from, *to; uint16_t port; uint32_t n; };

static int visit_counted(const struct nlmsghdr *message, void *context)
{
	struct counting *counting = context;
	const struct inet_diag_msg *diag = mnl_nlmsg_get_payload(message);
	struct ip from, to;

	if (mnl_nlmsg_get_payload_len(message) < sizeof *diag)
		return 0;
	from = diag_ip(diag->id.idiag_src, diag->idiag_family);
	to = diag_ip(diag->id.idiag_dst, diag->idiag_family);
	counting->n += ip_equal(&from, counting->from) && ip_equal(&to, counting->to) &&
		       ntohs(diag->id.idiag_dport) == counting->port;
	return 0;
}

/* Have the kernel leave out other destinations; as put_filter() of destroy.c, an IPv4 address stands
 * for its IPv4-mapped one too. */
static void put_destination(struct nlmsghdr *message, const struct ip *to, uint16_t port)
{
	struct {
		struct inet_diag_bc_op head;
		struct inet_diag_hostcond cond;
		uint8_t address[16];
	} text = {
		.cond = { .family = to->len == 4 ? AF_INET : AF_INET6,
			  .prefix_len = (uint8_t)(to->len * 8), .port = port },
	};
	size_t len = sizeof text.head + sizeof text.cond + to->len;

	text.head = (struct inet_diag_bc_op){ .code = INET_DIAG_BC_D_COND, .yes = (uint8_t)len,
					      .no = (uint16_t)(len + 4) };
	memcpy(text.address, to->octet, to->len);
	mnl_attr_put(message, INET_DIAG_REQ_BYTECODE, len, &text);
}

int diag_count(const struct ip *from, const struct ip *to, uint16_t port, uint32_t *ret)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct counting counting = { .from = from, .to = to, .port = port };
	int r = 0;

	/* An IPv4 destination may be an IPv6 socket's; an IPv6 one is nobody else's. */
	for (size_t i = to->len == 4 ? 0 : 1; i < ARRAY_LEN(families) && r == 0; i++) {
		AUTO(channel_drop) struct channel diag = { 0 };
		struct inet_diag_req_v2 request = { .sdiag_family = families[i],
						    .sdiag_protocol = IPPROTO_TCP,
						    .idiag_states = STATES_CONNECTED };
		char buffer[CHANNEL_REQUEST_ROOM];
		struct nlmsghdr *message =
			diag_request(buffer, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request);

		put_destination(message, to, port);
		r = channel_open_bus(NETLINK_SOCK_DIAG, &diag);
		if (r == 0)
			r = channel_ask(&diag, message, visit_counted, &counting);
		r = r == -ENOENT || r == -EINTR ? 0 : r;
	}
	if (r == 0)
		*ret = counting.n;
	return r;
}
