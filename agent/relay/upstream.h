/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection to a destination: descriptor, TLS and the pure machine, and whom its events are for. */
#pragma once

#include "relay/demand.h"
#include "relay/route.h"
#include "smtp/back.h"

enum upstream_state { UPSTREAM_DIALLING, UPSTREAM_OWNED, UPSTREAM_IDLE };

struct upstream {
	struct worker *worker;
	struct generation *generation;		/* counted */
	struct route *route;			/* counted */
	enum upstream_state state;
	struct fd fd;
	ev_io read, write;
	ev_timer timer;
	struct tls *tls;
	bool handshaking;
	struct tls_expect expect;		/* when STARTTLS comes to it */
	struct demand demand;			/* that it was made for */
	struct back back;
	char *ehlo, *host, *binding;		/* binding: the member, of a group */
	char source[PREFIX_TEXT];
	struct ip source_ip;			/* len 0: of a routed prefix */
	struct ip peer;
	uint16_t port;
	uint32_t mark;
	uint64_t epoch, born, idle_since;
	unsigned n_used;			/* times that a session was given it */
	void (*news)(void *context);		/* DIALLING and OWNED: something came of it */
	void *context;
	struct upstream *next, *newer, *older;	/* idle: of the route, of the worker */
};

struct upstream *upstream_new(struct worker *worker, struct generation *generation,
			      struct route *route);
void upstream_free(struct upstream *upstream);
/* The descriptor is connected: listen, and begin the dialogue (with TLS first if @implicit_tls). */
void upstream_start(struct upstream *upstream, enum back_tls tls);
/* Write what there is, and be called for the rest; after every call into its back. */
void upstream_flush(struct upstream *upstream);
/* BACK_WANT_TLS: shake hands. */
void upstream_tls(struct upstream *upstream);
/* Stop listening and give the descriptor away; for a blind pipe. */
struct fd upstream_detach(struct upstream *upstream);

/* Keep it for the next transaction of its route, or end it politely if that cannot be. */
void upstream_idle(struct upstream *upstream);
/* The last used of the route, taken out; NULL: none. Whether the agent agrees is the caller's to ask. */
struct upstream *upstream_take(struct route *route);
void upstream_drop_idle(struct worker *worker);
