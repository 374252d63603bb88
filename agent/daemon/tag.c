/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mark decides where a socket leaves from before its first packet, so only an unconnected socket
 * of this network namespace is marked: elsewhere our table does not see it, and the peer would
 * believe in a source address that it does not get. Bits outside the mask belong to others and stay.
 *
 * Limits: a peer that connects the socket while we look at it gets its own race; it may use the
 * binding anyway.
 */
#include "daemon/tag.h"

#include "daemon/tag_parts.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71			/* Linux 5.14 */
#endif

_Static_assert((int)TAG_REQUEST_NAME == (int)NAME_MAX_BYTES, "a request has room for every name");

static const struct refusal none = { NULL, NULL };

static int option(int fd, int level, int name, int *ret)
{
	socklen_t size = sizeof *ret;

	return getsockopt(fd, level, name, ret, &size) < 0 ? -errno : 0;
}

/* Is the socket of our network namespace? Yes where the kernel cannot tell (before 5.14). */
static bool is_here(int fd)
{
	AUTO(fd_drop) struct fd ours = { socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	uint64_t here = 0, there = 0;
	socklen_t size = sizeof here;

	if (getsockopt(ours.n, SOL_SOCKET, SO_NETNS_COOKIE, &here, &size) < 0)
		return true;
	size = sizeof there;
	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &there, &size) < 0 || here == there;
}

/* Not listening, connecting or connected. */
static bool is_fresh(int fd, int protocol)
{
	struct sockaddr_storage address;
	struct tcp_info tcp;
	socklen_t size = sizeof address;
	int listening = 0;

	if (option(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening) < 0 || listening)
		return false;
	if (getpeername(fd, (struct sockaddr *)&address, &size) == 0 || errno != ENOTCONN)
		return false;
	size = sizeof tcp;
	if (protocol != IPPROTO_TCP)
		return true;
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &size) == 0 &&
	       tcp.tcpi_state == TCP_CLOSE;
}

/* Families that the socket can send in, into @ret; or why it cannot be marked. */
struct refusal tag_check_socket(int fd, bool ret[static FAMILIES])
{
	int domain, type, protocol, only6 = 0;

	if (option(fd, SOL_SOCKET, SO_DOMAIN, &domain) < 0 ||
	    option(fd, SOL_SOCKET, SO_TYPE, &type) < 0 ||
	    option(fd, SOL_SOCKET, SO_PROTOCOL, &protocol) < 0)
		return (struct refusal){ TAG_BAD_SOCKET, "the descriptor is not a socket" };
	if (domain != AF_INET && domain != AF_INET6)
		return (struct refusal){ TAG_BAD_SOCKET, "the socket is not of an inet family" };
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return (struct refusal){ TAG_BAD_SOCKET,
					 "the socket is neither stream nor datagram" };
	if (!is_here(fd))
		return (struct refusal){ TAG_BAD_SOCKET,
					 "the socket is of another network namespace" };
	if (!is_fresh(fd, protocol))
		return (struct refusal){ TAG_BAD_SOCKET, "the socket is connected or listening" };
	if (domain == AF_INET6 && option(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6) < 0)
		only6 = 0;
	ret[FAMILY_IPV4] = domain == AF_INET || !only6;
	ret[FAMILY_IPV6] = domain == AF_INET6;
	return none;
}

static struct refusal check_usable(const struct plan *plan, uint32_t binding,
				   const bool families[static FAMILIES])
{
	enum family wanted = families[FAMILY_IPV4] ? FAMILY_IPV4 : FAMILY_IPV6;

	if (binding == NO_INDEX)
		return none;
	for (enum family family = 0; family < FAMILIES; family++)
		if (families[family] && plan_usable(plan, binding, family))
			return none;
	return (struct refusal){ TAG_UNUSABLE, plan_usable_text(plan, binding, wanted) };
}

int tag_set_mark(int fd, struct fwmark mask, struct fwmark mark)
{
	int old, wanted;
	int r = option(fd, SOL_SOCKET, SO_MARK, &old);

	if (r < 0)
		return r;
	wanted = (int)(((uint32_t)old & ~mask.host) | mark.host);
	return setsockopt(fd, SOL_SOCKET, SO_MARK, &wanted, sizeof wanted) < 0 ? -errno : 0;
}

uint32_t tag_source(const struct plan *plan, uint32_t binding, enum family family)
{
	const struct usability *usability = &plan->usability[binding];

	return usability->reason[family] == USABLE_BY_OTHER ? usability->by[family] : binding;
}

const struct ip *tag_address(const struct agent *agent, uint32_t binding, enum family family,
			     uint32_t *next)
{
	const struct generation *now = agent->now;
	uint32_t by = tag_source(&now->plan, binding, family);
	const struct binding *source = &now->model.bindings.at[by];

	while (*next < source->n_addresses) {
		const struct address *at =
			&now->model.addresses.at[source->first_address + (*next)++];
		uint8_t key[KEY_MAX] = { 0 };

		if (ip_family(&at->ip) != family || at->routed)
			continue;
		memcpy(key, &now->plan.marks[binding].host, sizeof(uint32_t));
		memcpy(key + sizeof(uint32_t), at->ip.octet, at->ip.len);
		if (plan_find(&now->plan, family == FAMILY_IPV4 ? SET_OWN4 : SET_OWN6, key))
			return &at->ip;
	}
	return NULL;
}

/* Append the addresses that @binding has now in one family: those in set `own`. */
static size_t print_addresses(const struct agent *agent, uint32_t binding, enum family family,
			      char *reply, size_t len)
{
	const struct ip *ip;
	char text[IP_TEXT];

	for (uint32_t i = 0; (ip = tag_address(agent, binding, family, &i));) {
		int n = snprintf(reply + len, TAG_REPLY_MAX - len, " %s", ip_print(ip, text));

		if (n < 0 || len + (size_t)n >= TAG_REPLY_MAX) {
			reply[len] = '\0';
			return len;
		}
		len += (size_t)n;
	}
	return len;
}

size_t tag_refuse(struct refusal refusal, char reply[static TAG_REPLY_MAX])
{
	return (size_t)snprintf(reply, TAG_REPLY_MAX, TAG_REPLY_ERROR "%s %s", refusal.code,
				refusal.text);
}

static struct refusal check(const struct agent *agent, struct tag_peer *peer, const char *name,
			    const struct fd *fd, size_t n_fds,
			    bool families[static FAMILIES])
{
	uint32_t binding = model_find(&agent->now->model, name);
	struct refusal refusal;

	if (binding == NO_INDEX && strcmp(name, DEFAULT_BINDING) != 0)
		return (struct refusal){ TAG_UNKNOWN, "no binding has this name" };
	refusal = tag_check_allowed(agent, peer, binding);
	if (refusal.code)
		return refusal;
	if (n_fds != 1)
		return (struct refusal){ TAG_BAD_SOCKET, "expected exactly one descriptor" };
	refusal = tag_check_socket(fd->n, families);
	if (refusal.code)
		return refusal;
	return check_usable(&agent->now->plan, binding, families);
}

static size_t answer_first(struct agent *agent, struct tag_peer *peer, const char *name,
			   const struct fd *fd, size_t n_fds, char reply[static TAG_REPLY_MAX])
{
	const struct plan *plan = &agent->now->plan;
	bool families[FAMILIES] = { false };
	struct fwmark mark = { 0 };
	struct refusal refusal = check(agent, peer, name, fd, n_fds, families);
	uint32_t binding;
	size_t len;
	int r;

	if (refusal.code)
		return tag_refuse(refusal, reply);
	binding = model_find(&agent->now->model, name);
	if (binding != NO_INDEX)
		mark = plan->marks[binding];
	r = tag_set_mark(fd->n, plan->mask, mark);
	if (r < 0)
		return tag_refuse((struct refusal){ TAG_BAD_SOCKET, strerror(-r) }, reply);
	len = (size_t)snprintf(reply, TAG_REPLY_MAX, TAG_REPLY_OK "%u", mark.host);
	for (enum family family = 0; binding != NO_INDEX && family < FAMILIES; family++)
		if (families[family] && plan_usable(plan, binding, family))
			len = print_addresses(agent, binding, family, reply, len);
	return len;
}

size_t tag_answer(struct agent *agent, struct tag_peer *peer,
		  const struct tag_request *request, const struct fd *fd, size_t n_fds,
		  char reply[static TAG_REPLY_MAX])
{
	switch ((enum tag_request_kind)request->kind) {
	case TAG_REQUEST_TAG:
		return answer_first(agent, peer, request->name, fd, n_fds, reply);
	case TAG_REQUEST_TAG_SECOND:
	case TAG_REQUEST_ASK:
		return tag_answer_second(agent, peer, request, fd, n_fds, reply);
	case TAG_REQUEST_WATCH:
		return (size_t)snprintf(reply, TAG_REPLY_MAX, "%s", TAG_REPLY_OK "binding=-");
	case TAG_REQUEST_BAD_SECOND:
		return tag_refuse((struct refusal){ TAG_BAD_REQUEST,
			"expected ASK 2 HASH name:NAME, or address:IP" }, reply);
	case TAG_REQUEST_BAD:
	case TAG_REQUEST_KINDS:
		break;
	}
	return tag_refuse((struct refusal){ TAG_BAD_REQUEST, "expected TAG 1 NAME" }, reply);
}
