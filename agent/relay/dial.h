/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a route to an upstream that is ready: the agent is asked what the binding has, DNS where
 * the destination is, the socket is tagged and bound, addresses are tried in turn, TLS is had as
 * it must. No tag, no connection.
 */
#pragma once

#include "relay/upstream.h"

struct dial;

enum dial_reason { DIAL_AGENT, DIAL_BINDING, DIAL_FAMILY, DIAL_NAME, DIAL_CONNECTION };

struct dial_how {
	struct generation *generation;
	struct route *route;
	enum point point;			/* how long the client waits: 25, 60 or 90 s in all */
	bool reusable;				/* an idle connection will do */
	bool raw;				/* only connect: no dialogue */
	bool needs_tls;				/* also if the route does not */
};

/*
 * @upstream: yours, UPSTREAM_OWNED; n_used 0 if it is fresh. NULL: see @refusal, a 4xx or 5xx for
 *            the client, and @reason. Called once, never from within dial_start().
 */
typedef void dial_done(void *context, struct upstream *upstream, const struct reply *refusal,
		       enum dial_reason reason);

struct dial *dial_start(struct worker *worker, const struct dial_how *how, dial_done *done,
			void *context);
void dial_cancel(struct dial *dial);
/* In the figures of those who were refused before a destination was called. */
void dial_count_failure(struct worker *worker, enum dial_reason reason);

/* An idle upstream that needs nobody to be asked: the agent has said nothing new since, and there is no
 * table of policies. NULL: dial. */
struct upstream *dial_at_once(struct worker *worker, const struct dial_how *how);
