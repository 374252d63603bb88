/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Since when each binding can carry each family, or cannot. Compared with the plan in force
 * whenever that changed; a change of state is one event. Kept by name over reloads, not over
 * restarts of the agent: then everything is as it is since the start.
 */
#pragma once

#include "daemon/agent.h"

enum health_state {
	HEALTH_NONE,				/* nothing of this family: never an event */
	HEALTH_USABLE,
	HEALTH_BY_OTHER,			/* not by itself: another binding stands in */
	HEALTH_UNUSABLE,
};

struct health_entry {				/* times: CLOCK_REALTIME */
	int64_t since_ms;
	enum health_state state;
	bool suspended;
	int64_t told_ms;			/* when it was suspended or resumed last; 0: never */
};

enum { HEALTH_EVENTS_MAX = 100 };		/* of one change; the rest is counted in one event */

void health_free(struct health *health);	/* accepts NULL */

/* The plan changed for one binding only: constant time. */
void health_binding(struct agent *agent, uint32_t index);

/* The plan was made anew. Linear in bindings, and no more than a comparison each. */
void health_all(struct agent *agent);

/* The model in force is another one than @old (NULL: none): what was known goes by name. To be
 * called before @old is freed, and followed by health_all(). */
void health_move(struct agent *agent, const struct model *old);

/* Since when it is what it is, suspended or in its state: ms, CLOCK_REALTIME. */
int64_t health_since(struct health_entry entry);

/* By index into the model in force. */
struct health_entry health_of(const struct agent *agent, uint32_t binding, enum family family);
struct health_entry health_of_uplink(const struct agent *agent, uint32_t uplink,
				     enum family family);
