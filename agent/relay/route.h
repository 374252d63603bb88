/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A route is a binding and a next hop with what TLS it asks for, once a worker however many
 * sessions use it, so that equal routes are equal pointers. Idle upstream connections hang on
 * their route.
 */
#pragma once

#include "relay/worker.h"

struct route {
	char *key;				/* all of it as a text; what makes routes equal */
	unsigned refs;
	char *binding;				/* a name, or "address:IP" */
	uint32_t hash;
	char *host;				/* MX domain or host; NULL: destination */
	bool mx;
	uint16_t port;
	struct ip destination;			/* host NULL: this address */
	enum relay_tls tls;			/* before MTA-STS had a word */
	bool needs_tls;				/* whatever `tls` allows: its client has it */
	bool implicit_plain;			/* intercepted and passed through: no TLS of ours */
	char *place;				/* of the rule, for the log; "" if none */
	struct upstream *idle;			/* last used first */
};

struct route_how {
	const char *binding, *host;
	const struct model *model;		/* that the rule is of */
	const struct where *where;		/* of the rule, or NULL */
	uint32_t hash;
	bool mx, plain, needs_tls;
	uint16_t port;
	struct ip destination;
	enum relay_tls tls;
};

/* The route that is like this, counted; made if it is not there. */
struct route *route_get(struct worker *worker, const struct route_how *how);
struct route *route_ref(struct route *route);
void route_unref(struct worker *worker, struct route *route);
