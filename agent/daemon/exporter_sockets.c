/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See exporter_sockets.h. */
#include "daemon/exporter_sockets.h"

#include "base/sockaddr.h"
#include "daemon/log.h"
#include "daemon/peer.h"
#include "model/conf.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_NAME	"metrics"

enum { BACKLOG = 64 };

void exporter_sockets_init(struct exporter_sockets *sockets)
{
	*sockets = (struct exporter_sockets){ 0 };
	for (int i = 0; i < EXPORTER_SOCKETS; i++)
		sockets->at[i] = FD_NONE;
}

static void drop_unix(struct exporter_sockets *sockets)
{
	fd_drop(&sockets->at[EXPORTER_UNIX]);
	if (sockets->path[0])
		(void)unlink(sockets->path);
	sockets->path[0] = '\0';
}

void exporter_sockets_drop(struct exporter_sockets *sockets)
{
	drop_unix(sockets);
	fd_drop(&sockets->at[EXPORTER_TCP]);
}

static bool same_address(const struct relay_endpoint *a, const struct relay_endpoint *b)
{
	return a->port == b->port && a->ip.len == b->ip.len &&
	       memcmp(a->ip.octet, b->ip.octet, a->ip.len) == 0;
}

bool exporter_sockets_same(const struct exporter_sockets *sockets,
			   const struct metrics_settings *settings)
{
	return same_address(&settings->listen, &sockets->said.listen) &&
	       settings->no_socket == sockets->said.no_socket;
}

void exporter_sockets_say(struct exporter_sockets *sockets,
			  const struct metrics_settings *settings)
{
	if (settings->no_socket)
		drop_unix(sockets);
	if (!same_address(&settings->listen, &sockets->said.listen))
		fd_drop(&sockets->at[EXPORTER_TCP]);
	sockets->said = *settings;
}

static int listen_tcp(const struct relay_endpoint *at, struct fd *ret)
{
	struct relay_endpoint to = *at;
	struct sockaddr_storage address;
	AUTO(fd_drop) struct fd fd = FD_NONE;
	socklen_t size;
	int on = 1;

	if (to.ip.len == 0)
		to.ip.len = 16;			/* "*": both families by one socket */
	size = sockaddr_of_ip(&to.ip, to.port, &address);
	fd.n = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd.n < 0 || setsockopt(fd.n, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
		return -errno;
	on = at->ip.len != 0;
	if (address.ss_family == AF_INET6)
		(void)setsockopt(fd.n, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd.n, (struct sockaddr *)&address, size) < 0 || listen(fd.n, BACKLOG) < 0)
		return -errno;
	*ret = fd_take(&fd);
	return 0;
}

static int listen_unix(struct exporter_sockets *sockets, const char *dir, struct fd *ret)
{
	gid_t readers = (gid_t)-1;
	bool shared = peer_group_id("outbind", &readers) == 0;

	if (snprintf(sockets->path, sizeof sockets->path, "%s/" SOCKET_NAME, dir) >=
	    (int)sizeof sockets->path)
		return -ENAMETOOLONG;
	return peer_listen(dir, SOCKET_NAME, SOCK_STREAM, shared ? 0660 : 0600, readers, ret);
}

static void say_unheard(const char *where, int r)
{
	log_event(EVENT_METRICS_FAILED, "text=\"cannot listen on %s: %s\" next=retry", where,
		  strerror(-r));
}

bool exporter_sockets_open(struct exporter_sockets *sockets, const char *dir)
{
	const struct metrics_settings *said = &sockets->said;
	struct fd *local = &sockets->at[EXPORTER_UNIX], *tcp = &sockets->at[EXPORTER_TCP];
	int of_local = 0, of_tcp = 0;
	char place[ENDPOINT_TEXT];

	if (!said->no_socket && local->n < 0)
		of_local = listen_unix(sockets, dir, local);
	if (of_local < 0)
		say_unheard(SOCKET_NAME, of_local);
	if (said->listen.port && tcp->n < 0)
		of_tcp = listen_tcp(&said->listen, tcp);
	if (of_tcp < 0)
		say_unheard(conf_relay_endpoint(&said->listen, place, sizeof place), of_tcp);
	return of_local == 0 && of_tcp == 0;
}

size_t exporter_sockets_count(const struct exporter_sockets *sockets)
{
	size_t n = 0;

	for (int i = 0; i < EXPORTER_SOCKETS; i++)
		n += sockets->at[i].n >= 0;
	return n;
}

bool exporter_sockets_complete(const struct exporter_sockets *sockets)
{
	return (sockets->said.no_socket || sockets->at[EXPORTER_UNIX].n >= 0) &&
	       (!sockets->said.listen.port || sockets->at[EXPORTER_TCP].n >= 0);
}
