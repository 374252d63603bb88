/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has connected, and where it was going before the agent's rules turned it to us. A Unix
 * socket tells user and cgroup of who called connect(2); an intercepted connection has its first
 * destination in conntrack. Who may be served gets a session.
 */
#include "relay/conn.h"

#include "base/sockaddr.h"
#include "relay/memory.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { SECOND = 1000000 };

#ifndef SO_ORIGINAL_DST
#define SO_ORIGINAL_DST 80			/* linux/netfilter_ipv4.h; IP6T_SO_ORIGINAL_DST is the same */
#endif

/* False if it was not redirected: somebody called our own port, and we would call ourselves. */
static bool take_destination(struct conn *conn)
{
	struct sockaddr_storage first, name;
	socklen_t size = sizeof first;
	int level = ip_family(&conn->client) == FAMILY_IPV4 ? IPPROTO_IP : IPPROTO_IPV6;
	struct ip own;
	uint16_t port;

	if (getsockopt(conn->fd.n, level, SO_ORIGINAL_DST, &first, &size) < 0 ||
	    !sockaddr_read_ip(&first, &conn->destination, &conn->destination_port))
		return false;
	size = sizeof name;
	if (getsockname(conn->fd.n, (struct sockaddr *)&name, &size) < 0 ||
	    !sockaddr_read_ip(&name, &own, &port))
		return false;
	return !(ip_equal(&own, &conn->destination) && port == conn->destination_port);
}

/* False: not to be served. */
static bool identify(struct conn *conn)
{
	static const char full[] = "421 4.7.0 too many connections, come again\r\n";
	struct sockaddr_storage name = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof name;
	uint16_t port;

	if (getpeername(conn->fd.n, (struct sockaddr *)&name, &size) < 0)
		return false;
	if (!sockaddr_read_ip(&name, &conn->client, &port))
		peer_take(conn->fd.n, &conn->peer);
	if (conn->front->conf->protocol == RELAY_INTERCEPT && !take_destination(conn))
		return false;
	conn->counted = worker_admit(conn->worker, conn->generation, conn->front, &conn->client);
	if (!conn->counted)
		(void)!send(conn->fd.n, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	return conn->counted;
}

static bool was_delivered(void *context, const struct fingerprint *fingerprint)
{
	struct conn *conn = context;

	return memory_take(conn->worker->memory, fingerprint, worker_now(conn->worker) / SECOND);
}

static void remember(void *context, const struct fingerprint *fingerprint)
{
	struct conn *conn = context;

	memory_remember(conn->worker->memory, fingerprint, worker_now(conn->worker) / SECOND);
}

static struct text route_key(void *context, const struct route *route)
{
	(void)context;
	return (struct text){ route->key, strlen(route->key) };
}

static void open_session(struct conn *conn)
{
	char client[IP_TEXT] = "local";

	conn->host = (struct session_host){
		.was_delivered = was_delivered, .remember = remember, .route_key = route_key,
		.record = conn_record, .key = memory_key(conn->worker->memory), .context = conn,
	};
	if (conn->client.len > 0)
		ip_print(&conn->client, client);
	(void)snprintf(conn->id, sizeof conn->id, "%x.%llx", conn->worker->index,
		       (unsigned long long)++conn->worker->ids);
	conn->session = session_new(&conn->front->session, &conn->host, client, conn->id,
				    worker_now(conn->worker));
}

void conn_start(struct worker *worker, struct generation *generation, size_t front, struct fd *fd)
{
	struct conn *conn = conn_new(worker, generation, front, fd);

	if (!identify(conn)) {
		conn_free(conn);
		return;
	}
	open_session(conn);
	conn_begin(conn);
}
