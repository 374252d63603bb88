/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl monitor: every event of the agent as it happens. */
#include "event.h"
#include "verbs.h"

static void print_event(void *context, json_t *event)
{
	const struct ctl *ctl = context;

	event_print(ctl, event);
	(void)fflush(ctl->out);
}

static int monitor_run(struct ctl *ctl, const struct arguments *args)
{
	(void)args;
	return event_follow(ctl, print_event, ctl);
}

const struct verb monitor_verb = {
	.name = "monitor",
	.synopsis = "",
	.summary = "every event of the agent as it happens, until interrupted",
	.text = "The events and fields are those of the agent's log, outbindd(8). With --json one object a\n"
		"line. Who does not read in time is told how many events were lost.\n",
	.run = monitor_run,
};
