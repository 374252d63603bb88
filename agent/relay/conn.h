/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One client: descriptor, TLS, the pure session, and its upstreams. */
#pragma once

#include "relay/auth.h"
#include "relay/dial.h"
#include "relay/peers.h"
#include "relay/socketmap.h"

struct conn_leg {
	struct conn *conn;
	int index;
	struct upstream *upstream;
	struct dial *dial;
	struct conn_leg *next;			/* of the connection */
};

struct conn {
	struct worker *worker;
	struct generation *generation;		/* counted */
	const struct front_kind *front;
	struct fd fd;
	ev_io read, write;
	ev_timer timer;
	struct tls *tls;
	bool handshaking, closing, reset, eof, gone, busy, pending;
	uint64_t last_word;			/* usec; until then the client may take it */
	struct session *session;
	struct session_host host;
	struct ip client, destination;		/* destination: intercepted or proxied */
	uint16_t destination_port;
	bool counted;				/* in worker->clients */
	struct peer peer;
	char id[24];
	struct conn_leg *legs;
	struct { struct route **at; size_t n, room; } routes;	/* counted: all that the session has */
	size_t routes_high;			/* at so many, it is time to look which it has no more */
	struct socketmap_query *map;
	struct auth_query *auth;
	struct conn *newer, *older;
};

/* conn_open.c. Takes @fd. What cannot be served is closed, and said to the client where it can be. */
void conn_start(struct worker *worker, struct generation *generation, size_t front, struct fd *fd);
/* Every connection of the worker: end as soon as no transaction is in hand; @at_once: now. */
void conn_stop_all(struct worker *worker, bool at_once);

/* conn_leg.c: what the session asks for about upstreams. */
void conn_route(struct conn *conn);
void conn_dial(struct conn *conn, int leg, bool reusable);
void conn_release(struct conn *conn, int leg, bool reusable);
void conn_release_all(struct conn *conn);
struct conn_leg *conn_leg(struct conn *conn, int leg);
void conn_flush_upstreams(struct conn *conn);
/* Everything that was said is written; what comes now is not for us. */
void conn_pipe(struct conn *conn, int leg);

/* conn.c: one without a session yet; takes @fd. */
struct conn *conn_new(struct worker *worker, struct generation *generation, size_t front,
		      struct fd *fd);
/* Closes it, with its session and upstreams as they are. */
void conn_free(struct conn *conn);
/* Its first word, or TLS; it lives by events from now on. */
void conn_begin(struct conn *conn);
/* Act on what the session asks for, write, and arm; after every call into it. */
void conn_work(struct conn *conn);

/* conn_record.c */
void conn_record(void *context, const struct record *record);
