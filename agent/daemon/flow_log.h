/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow log: lines handed to a thread that writes them, so that a slow disk never holds up the
 * event loop. What waits is bounded; what does not fit is dropped and counted.
 */
#pragma once

#include "daemon/follow.h"

enum { FLOW_LOG_BYTES = 4 << 20 };		/* of each of two buffers: one fills, one is written */

struct flow_log;

struct flow_log_state {
	uint64_t written, dropped;		/* records; dropped ones did not fit, or were not written */
	int error;				/* -errno of opening, of the last write or of following; or 0 */
};

/* The log to write to from now on; NULL: none. The file is opened anew, also if it is the same. */
void flow_log_use(struct agent *agent, const char *path);

/* The connection of @event has ended. Nothing if there is no log. */
void flow_log_add(struct agent *agent, const struct follow_event *event);

/* Follow connections if that failed so far, and log as events what has become of the log since the last
 * look: cheap, for once a second. */
void flow_log_look(struct agent *agent);

bool flow_log_read(struct agent *agent, struct flow_log_state *ret);	/* false: there is no log */

/* What waits is written, for two seconds at most. */
void flow_log_close(struct agent *agent);
