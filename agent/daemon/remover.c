/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The timer behind remove_tick(): armed only while a binding is being removed. */
#include "daemon/remove.h"

#include "base/mem.h"

#include <systemd/sd-event.h>

struct remover { struct agent *agent; sd_event_source *timer; };

static void arm(void *context, uint64_t usec)
{
	struct remover *remover = context;

	if (sd_event_source_set_time_relative(remover->timer, usec) >= 0)
		(void)sd_event_source_set_enabled(remover->timer, SD_EVENT_ONESHOT);
}

static int on_time(sd_event_source *source, uint64_t usec, void *context)
{
	struct remover *remover = context;
	uint64_t next = remove_tick(remover->agent);

	(void)source;
	(void)usec;
	if (next != UINT64_MAX)
		arm(remover, next);
	return 0;
}

int remover_open(struct sd_event *event, struct agent *agent)
{
	struct remover *remover = mem_zero(1, sizeof *remover);
	int r = sd_event_add_time_relative(event, &remover->timer, CLOCK_MONOTONIC, 0, 1, on_time,
					   remover);

	if (r >= 0)
		r = sd_event_source_set_enabled(remover->timer, SD_EVENT_OFF);
	if (r < 0) {
		sd_event_source_disable_unref(remover->timer);
		free(remover);
		return r;
	}
	remover->agent = agent;
	agent->removals = mem_zero(1, sizeof *agent->removals);
	agent->removals->arm = arm;
	agent->removals->context = remover;
	return 0;
}

void remover_close(struct agent *agent)
{
	struct remover *remover = agent->removals ? agent->removals->context : NULL;

	if (remover) {
		sd_event_source_disable_unref(remover->timer);
		free(remover);
	}
	remove_drop(agent);
}
