/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time and ears for the plumbing: calls plumb_run() when something is due or heard. */
#pragma once

#include "daemon/agent.h"

struct sd_event;
struct plumb_events;

/* Returns 0 or -errno; @agent has its plumbing already. */
MUST_CHECK int plumb_events_open(struct sd_event *event, struct agent *agent,
				 struct plumb_events **ret);
void plumb_events_close(struct plumb_events *events);	/* accepts NULL */
