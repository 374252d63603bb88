/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sources that are not their binding's own: counted, and told as events. What the guard refused is
 * asked of the kernel's counters; what left is found by who reads connections (survey.h).
 */
#pragma once

#include "daemon/agent.h"

enum { ALARM_SAID = 64, ALARM_TOLD = 8192, ALARMS_AT_ONCE = 10, ALARM_USEC = 60 * 1000000 };

struct alarm {
	uint64_t wrong;				/* connections that left with a wrong source */
	uint64_t refused;			/* packets that the guard dropped, since we look */
	uint32_t told[ALARM_TOLD];		/* ids of connections, each at its place */
	uint64_t dropped_guard;			/* as read last */
	bool looked;
	struct { uint32_t mark; struct ip source; uint64_t when; } said[ALARM_SAID];
	size_t next;
	uint64_t window, unsaid;		/* unsaid: since the last event */
	unsigned in_window;
};

/* A connection left with a wrong source; each is counted once, unless there are more than ALARM_TOLD of
 * them. One event for each binding and source in a minute, and
 * ALARMS_AT_ONCE in all; the next one says how many were not told. */
void alarm_wrong(struct agent *agent, const struct connection *connection);

/* Has the guard refused anything since the last look? One message to the kernel if not. */
void alarm_look(struct agent *agent);
