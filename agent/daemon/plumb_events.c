/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See plumb_events.h. After whatever else was done, the timer is set to when the plumbing has
 * something to do next, so that nobody who changes something need know of it.
 */
#include "daemon/plumb_events.h"

#include "base/mem.h"
#include "daemon/plumb.h"

#include <sys/epoll.h>
#include <systemd/sd-event.h>

struct plumb_events {
	struct agent *agent;
	sd_event_source *on_due, *on_ears, *on_others;
};

static void run(struct plumb_events *events)
{
	if (plumb_run(events->agent))
		(void)agent_refresh(events->agent, FACTS_KERNEL);	/* logs; the audit tries again */
}

static int on_due(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	run(context);
	return 0;
}

static int on_ears(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	(void)source;
	(void)fd;
	(void)revents;
	run(context);
	return 0;
}

static int on_others(sd_event_source *source, void *context)
{
	struct plumb_events *events = context;
	uint64_t due = plumb_due(events->agent);

	(void)source;
	if (due == UINT64_MAX)
		return sd_event_source_set_enabled(events->on_due, SD_EVENT_OFF);
	(void)sd_event_source_set_time(events->on_due, due);
	return sd_event_source_set_enabled(events->on_due, SD_EVENT_ONESHOT);
}

int plumb_events_open(struct sd_event *event, struct agent *agent, struct plumb_events **ret)
{
	struct plumb_events *events = mem_zero(1, sizeof *events);
	int r;

	events->agent = agent;
	/* The first time at once: the configuration is in force before there were events. */
	r = sd_event_add_time(event, &events->on_due, CLOCK_MONOTONIC, 0, 1000, on_due, events);
	if (r >= 0)
		r = sd_event_add_io(event, &events->on_ears, agent->kernel->ears_fd, EPOLLIN,
				    on_ears, events);
	if (r >= 0)
		r = sd_event_add_post(event, &events->on_others, on_others, events);
	if (r < 0) {
		plumb_events_close(events);
		return r;
	}
	*ret = events;
	return 0;
}

void plumb_events_close(struct plumb_events *events)
{
	if (!events)
		return;
	sd_event_source_disable_unref(events->on_due);
	sd_event_source_disable_unref(events->on_ears);
	sd_event_source_disable_unref(events->on_others);
	free(events);
}
