/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See probe_socket.h. The mark takes the probe the way that packets of the binding take; the
 * priority tells the table that it is a probe, which may leave also when the binding may not, and is
 * not rewritten (chain `marked`). So it is bound to the address that it is about, and an answer to
 * that address is the proof. SO_BINDTODEVICE keeps it on the uplink if a routing rule is missing.
 *
 * ICMP by raw sockets: those of IPPROTO_ICMP datagrams depend on net.ipv4.ping_group_range.
 */
#include "daemon/probe_socket.h"

#include "base/sockaddr.h"
#include "plan/plan.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

enum { ECHO4 = 8, ECHO4_REPLY = 0, ICMP4_FILTER = 1 };	/* linux/icmp.h; netinet's has our struct ip */

struct echo {					/* RFC 792, RFC 4443 section 4.1: one layout */
	uint8_t type, code;
	uint16_t checksum, id, number;
	uint64_t nonce;
};

/* RFC 1071; ICMPv6's is the kernel's work (RFC 3542 section 3.1). */
static uint16_t checksum(const struct echo *echo)
{
	const uint16_t *words = (const void *)echo;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof *echo / 2; i++)
		sum += words[i];
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~(sum + (sum >> 16));
}

static int set(int fd, int level, int option, const void *value, size_t len)
{
	return setsockopt(fd, level, option, value, (socklen_t)len) < 0 ? -errno : 0;
}

static int set_way(int fd, const struct probe_way *way, int family)
{
	int priority = PROBE_PRIORITY, on = 1;
	int r = set(fd, SOL_SOCKET, SO_MARK, &way->mark.host, sizeof way->mark.host);

	if (r == 0)
		r = set(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority);
	if (r == 0 && way->interface)
		r = set(fd, SOL_SOCKET, SO_BINDTODEVICE, way->interface, strlen(way->interface));
	if (r == 0 && way->routed)
		r = family == AF_INET ? set(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on)
				      : set(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
	return r;
}

/* Of all ICMP that comes in, only echo replies. */
static int set_filter(int fd, int family)
{
	struct icmp6_filter only6;
	uint32_t only4 = ~(1u << ECHO4_REPLY);

	if (family == AF_INET)
		return set(fd, SOL_RAW, ICMP4_FILTER, &only4, sizeof only4);
	ICMP6_FILTER_SETBLOCKALL(&only6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &only6);
	return set(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only6, sizeof only6);
}

static int open_socket(const struct probe *probe, const struct probe_way *way, struct fd *ret)
{
	int family = probe->to.len == 4 ? AF_INET : AF_INET6;
	int type = probe->kind == PROBE_TCP ? SOCK_STREAM : SOCK_RAW;
	int protocol = probe->kind == PROBE_TCP ? IPPROTO_TCP
		       : family == AF_INET	? IPPROTO_ICMP
						: IPPROTO_ICMPV6;
	AUTO(fd_drop) struct fd fd = { socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK,
					      protocol) };
	struct sockaddr_storage from;
	socklen_t len;
	int on = 1;
	int r = fd.n < 0 ? -errno : set_way(fd.n, way, family);

	if (r == 0 && probe->kind == PROBE_ICMP)
		r = set_filter(fd.n, family);
	/* The port is chosen by connect(2), so that those in TIME_WAIT do not use up the address. */
	if (r == 0 && probe->kind == PROBE_TCP)
		r = set(fd.n, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	if (r == 0 && way->from.len > 0) {
		len = sockaddr_of_ip(&way->from, 0, &from);
		r = bind(fd.n, (struct sockaddr *)&from, len) < 0 ? -errno : 0;
	}
	if (r == 0)
		*ret = fd_take(&fd);
	return r;
}

static int send_echo(const struct probe *probe, struct probe_question *question)
{
	struct echo echo = { .type = probe->to.len == 4 ? ECHO4 : ICMP6_ECHO_REQUEST };

	(void)!getrandom(&question->nonce, sizeof question->nonce, GRND_NONBLOCK);
	echo.id = (uint16_t)question->nonce;
	echo.nonce = question->nonce;
	if (probe->to.len == 4)
		echo.checksum = checksum(&echo);
	return send(question->fd.n, &echo, sizeof echo, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int probe_ask(const struct probe *probe, const struct probe_way *way, struct probe_question *ret)
{
	struct probe_question question = { .fd = FD_NONE, .from = way->from };
	struct sockaddr_storage to;
	socklen_t len = sockaddr_of_ip(&probe->to, probe->port, &to);
	int r = open_socket(probe, way, &question.fd);

	if (r == 0 && connect(question.fd.n, (struct sockaddr *)&to, len) < 0 &&
	    errno != EINPROGRESS)
		r = -errno;
	if (r == 0 && probe->kind == PROBE_ICMP)
		r = send_echo(probe, &question);
	if (r < 0)
		fd_drop(&question.fd);
	else
		*ret = question;
	return r;
}

/* The answer came to the address that was to be asked about, and to no other. */
static bool is_from(const struct probe_question *question)
{
	struct sockaddr_storage local = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof local;
	struct ip ip;
	uint16_t port;

	if (question->from.len == 0)
		return true;
	return getsockname(question->fd.n, (struct sockaddr *)&local, &len) == 0 &&
	       sockaddr_read_ip(&local, &ip, &port) && ip_equal(&ip, &question->from);
}

static int hear_tcp(const struct probe_question *question)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(question->fd.n, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	if (error)
		return -error;
	return is_from(question) ? 1 : -EADDRNOTAVAIL;
}

static int hear_echo(const struct probe *probe, const struct probe_question *question)
{
	uint8_t bytes[512];
	struct echo echo;
	ssize_t n = recv(question->fd.n, bytes, sizeof bytes, MSG_DONTWAIT);
	size_t head = 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (probe->to.len == 4 && n > 0)
		head = (bytes[0] & 0xfu) * 4;	/* raw IPv4 sockets get the IP header too */
	if ((size_t)n < head + sizeof echo)
		return 0;
	memcpy(&echo, bytes + head, sizeof echo);
	return echo.nonce == question->nonce && is_from(question);
}

int probe_hear(const struct probe *probe, struct probe_question *question)
{
	return probe->kind == PROBE_TCP ? hear_tcp(question) : hear_echo(probe, question);
}

uint32_t probe_events(const struct probe *probe)
{
	return probe->kind == PROBE_TCP ? EPOLLOUT : EPOLLIN;
}

bool probe_is_unsent(int error)
{
	return error == -EADDRNOTAVAIL || error == -EINVAL || error == -EPERM ||
	       error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENODEV;
}
