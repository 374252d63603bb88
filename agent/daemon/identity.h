/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What others found out about the identity of our addresses: taken from their reports, kept in the
 * state directory, and a fact for the plan. The agent asks DNS nothing and reads nothing that DNS said
 * but words to show: whoever does that (outbindctl check --dns --report) has no privilege.
 */
#pragma once

#include "daemon/agent.h"

enum { IDENTITY_EVENTS_MAX = 100 };		/* of one report; the rest is counted in one event */

/* Read the file. One that cannot be trusted is as none, and said: everything is to be asked anew. */
void identity_load(struct agent *agent);

/* Which addresses count now, for a plan of @model: what agreed too long ago does no more. */
void identity_facts(struct agent *agent, const struct model *model);

/* Take what @found owns; a change of what is known is an event. @events: those of this report so far. */
void identity_take(struct agent *agent, struct identity *found, size_t *events);

/*
 * identity_settle - the last result of a report is there
 * @events: as above; the file is written, then the kernel follows. 0, or -errno in @out: what was found is
 * in memory all the same, and the audit tries again.
 */
MUST_CHECK int identity_settle(struct agent *agent, size_t events, struct outcome *out);
