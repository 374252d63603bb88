/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Figures of all bindings and groups for who looks at them live: one look at most in half a second
 * and for a twentieth of a processor, however many ask, none while nobody does.
 */
#pragma once

#include "daemon/agent.h"
#include "daemon/rank.h"

struct census_pool;

struct ranking {
	struct rank_rows rows;			/* by binding; those that were removed are left out */
	uint64_t when;				/* usec: of the look; 0: there is none */
	uint64_t took;				/* usec */
	uint64_t serial;			/* of the census that it had */
	uint64_t changes;			/* agent->changes then */
	uint64_t asked;				/* usec: the last time */
	uint64_t interval;			/* usec between the look and the one before; 0: there is none */
	uint64_t live;				/* connections of all bindings */
	double rate[RANK_COUNTS];		/* of all bindings; negative: not known */
	size_t n_state[RANK_USABLE + 1];	/* bindings and groups in each */
};

/* Have connections counted anew if the last count is not fresh and may be renewed: its serial, to
 * wait for. 0: there is nothing to wait for. */
uint64_t ranking_ask(struct agent *agent);

/* The figures of now, or of the last look if another one is not due. Linear in bindings. Valid until
 * the event loop goes on. */
const struct ranking *ranking_look(struct agent *agent);

/* The pool of row->pool; NULL: it has none, or its census is gone. */
const struct census_pool *ranking_pool(const struct agent *agent, const struct rank_row *row);

/* Once a second: forget what nobody has asked for in a minute. */
void ranking_rest(struct agent *agent);
void ranking_free(struct ranking *ranking);	/* accepts NULL */
