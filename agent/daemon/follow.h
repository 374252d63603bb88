/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections that begin and end, for who follows them: a ring, and a position in it for each. */
#pragma once

#include "daemon/sources.h"

struct sd_event;

enum { FOLLOW_EVENTS = 8192 };			/* of the ring */

struct follow_event {				/* a connection that began or ended; or of a dump */
	enum flow_news news;
	enum source_verdict verdict;
	struct connection connection;
	bool owned;				/* @owner is known */
	struct socket_owner owner;
};

void follow_open(struct sd_event *event, struct agent *agent);
void follow_close(struct agent *agent);

/*
 * follow_join - from now on follow what begins and ends
 * Returns 0 with the position of the next event in *@ret_position (NULL: of no interest), or -errno of
 * subscribing. To be ended by follow_leave(). control_wake() is called when there are new events.
 */
MUST_CHECK int follow_join(struct agent *agent, uint64_t *ret_position);
void follow_leave(struct agent *agent);

/* The event at *@position, which moves on; NULL: none yet. *@ret_lost: those before it that were
 * overwritten. */
const struct follow_event *follow_next(const struct agent *agent, uint64_t *position,
				       uint64_t *ret_lost);

/* What the kernel could not hand over, of all that was followed since the agent started. */
uint64_t follow_lost(const struct agent *agent);

/* From time to time: subscribe again after the kernel refused, or if a reload brought another mask. What
 * happens in between is lost. */
void follow_check(struct agent *agent);
