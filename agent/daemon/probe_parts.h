/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside probes: one of them (probe_target.c), and all of them, which follow the configuration (probe.c). */
#pragma once

#include "daemon/probe.h"
#include "daemon/probe_socket.h"

#include <systemd/sd-event.h>

enum { PROBE_GATHER_USEC = 1000 };		/* to put into the facts what changed meanwhile, too */

struct target {
	struct probes *probes;
	char *name;
	bool uplink;				/* the name of an uplink, else of a binding */
	struct probe probe;
	struct probe_count count;
	struct probe_question question;
	sd_event_source *on_io, *timer;
	uint64_t due;				/* usec: when the next question was to be asked */
	bool asking;				/* the timer is the question's end */
	bool unsent;				/* the last one could not be sent: said once */
	bool kept;				/* while following */
};

struct probes {
	struct agent *agent;
	sd_event *event;
	sd_event_source *on_change, *on_follow, *on_result;
	struct { struct target **at; size_t n, room; } targets;
	uint64_t changes;			/* of the agent, that were followed or will be */
	size_t asking;
};

/* The probe that the model has under that name, or NULL; its index. */
const struct probe *probe_find(const struct model *model, const char *name, bool uplink,
			       uint32_t *ret_index);
/* Do they ask the same, and judge it by the same thresholds? */
bool probe_same(const struct probe *a, const struct probe *b);

/* Asks from now on, at a moment of its own within the interval. */
struct target *probe_target_new(struct probes *probes, const char *name, bool uplink,
				const struct probe *probe);
void probe_target_free(struct target *target);

static inline void probe_arm(sd_event_source *timer, uint64_t at)
{
	(void)sd_event_source_set_time(timer, at);
	(void)sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}
