/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See service.h. */
#include "daemon/service.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

void service_block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
}

/* What the service manager was told last. */
static struct { uint64_t changes, at; char reload[OUTCOME_TEXT]; } said;

static void say_status(const struct agent *agent)
{
	said.changes = agent->changes;
	said.at = agent_clock();
	(void)snprintf(said.reload, sizeof said.reload, "%s", agent->last_reload);
	(void)sd_notifyf(false, "STATUS=%zu bindings, %zu rules, reload: %s",
			 model_count_bindings(&agent->now->model), agent->now->model.rules.n,
			 agent->last_reload);
}

/* Behind each event: whoever changed something. Not more often than once a second. */
static int on_any(sd_event_source *source, void *context)
{
	const struct agent *agent = context;

	(void)source;
	if ((said.changes != agent->changes || strcmp(said.reload, agent->last_reload) != 0) &&
	    agent_clock() - said.at >= 1000000)
		say_status(agent);
	return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *signal, void *context)
{
	(void)signal;
	(void)context;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *signal, void *context)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	struct agent *agent = context;

	(void)source;
	(void)signal;
	(void)sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, agent_clock());
	if (agent_reload(agent, &out) < 0)
		problems_print(&out.problems);	/* the log has the rest */
	(void)sd_notify(false, "READY=1");
	say_status(agent);
	return 0;
}

int service_listen(struct sd_event *event, struct agent *agent)
{
	int r = sd_event_add_signal(event, NULL, SIGTERM, on_stop, NULL);

	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGINT, on_stop, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGHUP, on_reload, agent);
	if (r >= 0)
		r = sd_event_add_post(event, NULL, on_any, agent);
	return r < 0 ? r : 0;
}

int service_run(struct sd_event *event, struct agent *agent)
{
	int r;

	(void)sd_event_set_watchdog(event, true);
	(void)sd_notify(false, "READY=1");
	say_status(agent);
	r = sd_event_loop(event);
	(void)sd_notify(false, "STOPPING=1");
	return r;
}
