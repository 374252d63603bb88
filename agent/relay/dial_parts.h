/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside dialling: dial.c decides whom to call, dial_connect.c calls. */
#pragma once

#include "relay/dial.h"
#include "relay/memory.h"
#include "relay/sts.h"

struct dial_target { struct ip ip; char *host; bool secure; };

struct dial {
	struct worker *worker;
	struct generation *generation;
	struct route *route;
	bool reusable, raw, needs_tls;
	dial_done *done;
	void *context;
	ev_timer budget, attempt;
	ev_io connecting;
	struct tagging_query *tag;
	struct resolve_query *query;
	struct sts_query *sts;

	/* the worker's when the agent was asked: what it said later is not in its answer */
	uint64_t epoch;
	char *member, *ehlo[FAMILIES];
	bool usable[FAMILIES];
	char no[FAMILIES][128];
	struct demand demand;
	bool no_policy;				/* and there should be one: refused */

	struct dial_target *targets;
	size_t n_targets, next;
	struct upstream *upstream;		/* of the target that is being tried */
	struct tlsa *tlsa;			/* of it; owned with its octets */
	size_t n_tlsa;
	bool plain;				/* without TLS, since that failed a moment ago */
	struct reply last;			/* why the last one failed */
};

void dial_fail(struct dial *dial, enum dial_reason reason, struct reply *reply);	/* takes it */
void dial_succeed(struct dial *dial);
/* "name:NAME" or "address:IP". */
void dial_whom(const struct dial *dial, const char *name, char *out, size_t room);

/* dial_connect.c */
void dial_prepare(struct dial *dial);
void dial_next(struct dial *dial);		/* the next target, or the end */
void dial_end_attempt(struct dial *dial);	/* nothing is left of the target that is being tried */
