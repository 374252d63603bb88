/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what a session knows to a route, from a route to an upstream of one of its legs, and the blind pipe. */
#include "relay/conn.h"

#include "base/mem.h"
#include "relay/pipe.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct conn_leg *conn_leg(struct conn *conn, int leg)
{
	struct conn_leg *at = conn->legs;

	while (at && at->index != leg)
		at = at->next;
	return at;
}

static void drop_leg(struct conn *conn, struct conn_leg *leg)
{
	struct conn_leg **at = &conn->legs;

	while (*at != leg)
		at = &(*at)->next;
	*at = leg->next;
	if (leg->dial)
		dial_cancel(leg->dial);
	free(leg);
}

void conn_release(struct conn *conn, int index, bool reusable)
{
	struct conn_leg *leg = conn_leg(conn, index);
	struct upstream *upstream;

	if (!leg)
		return;
	upstream = leg->upstream;
	drop_leg(conn, leg);
	if (!upstream)
		return;
	if (reusable)
		upstream_idle(upstream);
	else
		upstream_free(upstream);
}

void conn_release_all(struct conn *conn)
{
	while (conn->legs)
		conn_release(conn, conn->legs->index, false);
}

void conn_flush_upstreams(struct conn *conn)
{
	for (struct conn_leg *leg = conn->legs; leg; leg = leg->next)
		if (leg->upstream)
			upstream_flush(leg->upstream);
}

static void on_leg_news(void *context)
{
	struct conn_leg *leg = context;
	struct conn *conn = leg->conn;

	session_leg_news(conn->session, leg->index, worker_now(conn->worker));
	conn_work(conn);
}

static void attach(struct conn_leg *leg, struct upstream *upstream)
{
	struct conn *conn = leg->conn;
	bool reused = upstream->n_used++ > 0;

	leg->upstream = upstream;
	upstream->news = on_leg_news;
	upstream->context = leg;
	if (upstream->back.news.n > 0)		/* what came with its last words while dialling */
		ev_feed_event(conn->worker->loop, &upstream->read, EV_READ);
	session_leg_up(conn->session, leg->index, &upstream->back, reused,
		       worker_now(conn->worker));
}

static void on_dialled(void *context, struct upstream *upstream, const struct reply *refusal,
		       enum dial_reason reason)
{
	struct conn_leg *leg = context;
	struct conn *conn = leg->conn;
	int index = leg->index;

	leg->dial = NULL;
	if (upstream) {
		attach(leg, upstream);
	} else {
		dial_count_failure(conn->worker, reason);
		drop_leg(conn, leg);
		session_leg_refused(conn->session, index, refusal, worker_now(conn->worker));
	}
	conn_work(conn);
}

/* A client that insisted on TLS up to here would have it on the rest of the way. */
static bool needs_tls(const struct conn *conn)
{
	return conn->front->conf->protocol == RELAY_INTERCEPT && conn->tls;
}

void conn_dial(struct conn *conn, int index, bool reusable)
{
	struct route *route = (struct route *)(uintptr_t)session_leg_route(conn->session, index);
	struct dial_how how = { .generation = conn->generation, .route = route,
				.point = conn->front->session.point,
				.needs_tls = needs_tls(conn) };
	struct conn_leg *leg = mem_zero(1, sizeof *leg);
	struct upstream *upstream;

	/* Routed before the client had TLS: connections that are idle there may be without. */
	how.reusable = reusable && (route->needs_tls || !how.needs_tls);
	upstream = dial_at_once(conn->worker, &how);
	*leg = (struct conn_leg){ .conn = conn, .index = index, .next = conn->legs };
	conn->legs = leg;
	if (upstream)
		attach(leg, upstream);
	else
		leg->dial = dial_start(conn->worker, &how, on_dialled, leg);
}

static void on_pipe_done(void *context, uint64_t up, uint64_t down)
{
	(void)up;
	(void)down;
	conn_free(context);
}

void conn_pipe(struct conn *conn, int leg)
{
	const struct conn_leg *at = conn_leg(conn, leg);
	struct fd client = fd_take(&conn->fd), other;

	assert(at);				/* it said 220 */
	other = upstream_detach(at->upstream);
	ev_io_stop(conn->worker->loop, &conn->read);
	ev_io_stop(conn->worker->loop, &conn->write);
	ev_timer_stop(conn->worker->loop, &conn->timer);
	pipe_start(conn->worker, client, other, session_output(conn->session), NULL, on_pipe_done,
		   conn);
}

/* Part of an address behind its last '@', in lower case; "" if it has none. */
static const char *domain_of(const char *address, char out[static DOMAIN_MAX_BYTES + 1])
{
	const char *at = address ? strrchr(address, '@') : NULL;
	struct text domain = { at ? at + 1 : "", at ? strlen(at + 1) : 0 };

	if (!path_domain_fold(domain, out))
		out[0] = '\0';
	return out;
}

/* The route for a verdict, or NULL with why there is none. */
static struct route *make_route(struct conn *conn, const struct policy_verdict *verdict,
				const struct session_facts *facts, struct reply *ret_refusal)
{
	char domain[DOMAIN_MAX_BYTES + 1], ip[IP_TEXT];
	struct route_how how = { .binding = verdict->binding,
				 .host = verdict->hop.host, .mx = verdict->hop.mx,
				 .port = verdict->hop.port, .hash = verdict->hash,
				 .needs_tls = needs_tls(conn),
				 .model = &conn->generation->model };

	if (verdict->rule)
		how.where = &verdict->rule->where;
	if (!how.host && conn->destination.len > 0) {
		how.destination = conn->destination;
		how.port = conn->destination_port;
		how.plain = conn->front->session.front == FRONT_INTERCEPT &&
			    conn->front->session.intercept_tls == INTERCEPT_BLIND;
		how.tls = policy_tls(conn->generation->policy, ip_print(&how.destination, ip));
	} else if (!how.host) {
		how.host = domain_of(facts->rcpt, domain);
		how.mx = true;
		if (!how.host[0]) {
			*ret_refusal =
				reply_make(550, "5.1.3 the recipient has no domain to go to");
			return NULL;
		}
	}
	if (how.host)
		how.tls = policy_tls(conn->generation->policy, how.host);
	return route_get(conn->worker, &how);
}

static void refuse(struct conn *conn, struct reply *reply)
{
	METRIC_ADD(&conn->worker->metrics.no_rule, 1);
	session_unrouted(conn->session, reply, worker_now(conn->worker));
	reply_drop(reply);
}

/* What the rules may look at; texts are the session's. */
static struct policy_facts known_facts(const struct conn *conn, const struct session_facts *facts,
				       const char *map)
{
	return (struct policy_facts){
		.listener = conn->front->conf, .client = conn->client,
		.destination = conn->destination, .has_peer = conn->peer.known,
		.peer_uid = conn->peer.uid, .peer_cgroup = conn->peer.cgroup, .helo = facts->helo,
		.user = facts->user, .sender = facts->sender, .rcpt = facts->rcpt,
		.parameter = facts->parameter,
		.header = facts->header && facts->header[0] ? facts->header : NULL, .map = map,
	};
}

/*
 * Count a route for the session, which compares those of its legs. Those that it has no more go when
 * they may have become as many again: a client that never ends its session costs no more than its legs.
 */
static void keep_route(struct conn *conn, struct route *route)
{
	if (conn->routes.n >= conn->routes_high) {
		size_t n = 0;

		for (size_t i = 0; i < conn->routes.n; i++) {
			if (session_has_route(conn->session, conn->routes.at[i]))
				conn->routes.at[n++] = conn->routes.at[i];
			else
				route_unref(conn->worker, conn->routes.at[i]);
		}
		conn->routes.n = n;
		conn->routes_high = 2 * n + 8;
	}
	PUSH(&conn->routes, route);
}

static void decide(struct conn *conn, const char *map)
{
	struct session_facts facts;
	struct policy_verdict verdict;
	struct reply refusal = { 0 };
	struct policy_facts known;
	struct route *route;

	session_facts(conn->session, &facts);
	known = known_facts(conn, &facts, map);
	policy_decide(conn->generation->policy, &known, &verdict);
	if (!verdict.binding) {
		refusal = reply_make(verdict.permanent ? 550 : 451, "%s %s",
				     verdict.permanent ? "5.7.1" : "4.7.1", verdict.reason);
		refuse(conn, &refusal);
		return;
	}
	route = make_route(conn, &verdict, &facts, &refusal);
	if (!route) {
		refuse(conn, &refusal);
		return;
	}
	keep_route(conn, route);
	session_routed(conn->session, route, worker_now(conn->worker));
}

static void on_map(void *context, enum socketmap_result result, const char *text)
{
	struct conn *conn = context;

	conn->map = NULL;
	if (result == SOCKETMAP_OK || result == SOCKETMAP_NOTFOUND) {
		decide(conn, result == SOCKETMAP_OK ? text : NULL);
	} else {
		struct reply refusal = reply_make(451, "4.3.0 the policy map cannot say: %s", text);

		refuse(conn, &refusal);
	}
	conn_work(conn);
}

void conn_route(struct conn *conn)
{
	AUTO(buffer_drop) struct buffer key = { 0 };
	struct session_facts facts;
	struct policy_facts known;

	session_facts(conn->session, &facts);
	known = known_facts(conn, &facts, NULL);
	if (!policy_asks_map(conn->generation->policy, &known)) {
		decide(conn, NULL);
		return;
	}
	if (!conn->worker->policy_map) {	/* its rules were made to come behind a map */
		struct reply refusal =
			reply_make(451, "4.3.0 the policy map is no longer asked; connect again");

		refuse(conn, &refusal);
		return;
	}
	policy_map_key(&known, &key);
	conn->map = socketmap_ask(conn->worker->policy_map, (const char *)buffer_bytes(&key),
				  on_map, conn);
}
