/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the configuration anew: all that can fail is done first, then every worker is switched
 * and has said so, then sockets that are no longer listened on are closed. What was refused
 * changes nothing.
 */
#include "relay/program.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

static sem_t switched;

static void on_switched(void)
{
	(void)sem_post(&switched);
}

static void wait_for_all(const struct program *program)
{
	for (unsigned i = 0; i < program->n_workers; i++)
		while (sem_wait(&switched) < 0 && errno == EINTR)
			;
}

static int refuse(struct program *program, const char *why)
{
	(void)snprintf(program->last_reload, sizeof program->last_reload, "refused: %s", why);
	report_event("relay.reload-refused", "why=\"%s\" next=keep-running", why);
	return -EINVAL;
}

static int reopen_log(struct program *program, const struct generation *next)
{
	int r = access_log_reopen(program->log, next->model.relay.access_log);

	if (r < 0)
		report_event("relay.log-unwritable", "file=%s error=\"%s\"",
			  next->model.relay.access_log, strerror(-r));
	return r;
}

int program_reload(struct program *program)
{
	AUTO(diag_drop) struct diag diag = { 0 };
	struct generation *next, *before = program->now;
	char why[256];

	(void)sd_notify(0, "RELOADING=1");
	if (generation_read(program->config, &next, &diag, why, sizeof why) < 0) {
		(void)sd_notify(0, "READY=1");
		return refuse(program, why[0] ? why : "the configuration has errors");
	}
	if (listen_open(&program->listening, next, why, sizeof why) < 0) {
		generation_unref(next);
		(void)sd_notify(0, "READY=1");
		return refuse(program, why);
	}
	if (sem_init(&switched, 0, 0) < 0)
		abort();
	for (unsigned i = 0; i < program->n_workers; i++) {
		program->workers[i].on_switched = on_switched;
		worker_switch(&program->workers[i], next);
	}
	wait_for_all(program);
	listen_retire(&program->listening, next);
	(void)reopen_log(program, next);
	program->now = next;
	(void)snprintf(program->last_reload, sizeof program->last_reload, "taken");
	report_event("relay.reload", "listeners=%zu rules=%zu", next->n_fronts,
		  next->model.relay.rules.n);
	generation_unref(before);
	(void)sd_notify(0, "READY=1");
	return 0;
}
