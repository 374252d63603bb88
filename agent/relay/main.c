/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbind-relay: start, signals, end. The main thread has a loop of its own for signals, reloads
 * and the control socket; everything that has to do with mail happens in the workers.
 */
#include "relay/program.h"

#include "base/mem.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_CONFIG = 2, STOP_S = 600 };

static struct program program;			/* signal handlers of libev lead to it */
static ev_async worker_ended;

static void on_ended(void)
{
	ev_async_send(program.loop, &worker_ended);
}

static void stop(void)
{
	if (!program.stopping) {
		report_event("relay.stopping", "next=finish-transactions");
		(void)sd_notify(0, "STOPPING=1");
	}
	program.stopping = true;
	for (unsigned i = 0; i < program.n_workers; i++)
		worker_stop(&program.workers[i]);
}

static void on_stop(struct ev_loop *loop, ev_signal *signal, int revents)
{
	(void)loop;
	(void)signal;
	(void)revents;
	stop();
}

static void on_stop_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)timer;
	(void)revents;
	stop();
}

static void on_hangup(struct ev_loop *loop, ev_signal *signal, int revents)
{
	(void)loop;
	(void)signal;
	(void)revents;
	if (!program.stopping)
		(void)!program_reload(&program);
}

static void on_worker_ended(struct ev_loop *loop, ev_async *async, int revents)
{
	(void)async;
	(void)revents;
	for (unsigned i = 0; i < program.n_workers; i++)
		if (!worker_has_ended(&program.workers[i]))
			return;
	ev_break(loop, EVBREAK_ALL);
}

static void on_watchdog(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)timer;
	(void)revents;
	(void)sd_notify(0, "WATCHDOG=1");
}

/* A descriptor a client and one a destination: as many as the kernel lets us have. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int read_first(void)
{
	AUTO(diag_drop) struct diag diag = { 0 };
	char why[256];

	if (generation_read(program.config, &program.now, &diag, why, sizeof why) < 0) {
		if (why[0])
			fprintf(stderr, "outbind-relay: %s\n", why);
		return -EINVAL;
	}
	return 0;
}

static int start_workers(void)
{
	unsigned wanted = program.now->model.relay.workers;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	char why[256];
	int r;

	program.n_workers = wanted ? wanted : processors > 0 ? (unsigned)processors : 1;
	program.listening.n_workers = program.n_workers;
	listen_take_handed(&program.listening);
	if (listen_open(&program.listening, program.now, why, sizeof why) < 0) {
		fprintf(stderr, "outbind-relay: %s\n", why);
		return -EINVAL;
	}
	program.workers = mem_zero(program.n_workers, sizeof *program.workers);
	for (unsigned i = 0; i < program.n_workers; i++) {
		struct worker *worker = &program.workers[i];

		worker->index = i;
		worker->agent_dir = program.agent_dir;
		worker->clients = program.clients;
		worker->memory = program.memory;
		worker->log = program.log;
		worker->on_ended = on_ended;
		r = worker_start(worker, program.now);
		if (r < 0)
			return r;
	}
	return 0;
}

static int run(void)
{
	ev_signal hangup, terminate, interrupt;
	ev_timer watchdog, late;
	uint64_t usec;

	ev_signal_init(&hangup, on_hangup, SIGHUP);
	ev_signal_init(&terminate, on_stop, SIGTERM);
	ev_signal_init(&interrupt, on_stop, SIGINT);
	ev_signal_start(program.loop, &hangup);
	ev_signal_start(program.loop, &terminate);
	ev_signal_start(program.loop, &interrupt);
	ev_timer_init(&late, on_stop_late, STOP_S, 0);
	if (sd_watchdog_enabled(0, &usec) > 0) {
		ev_timer_init(&watchdog, on_watchdog, (double)usec / 2e6, (double)usec / 2e6);
		ev_timer_start(program.loop, &watchdog);
	}
	(void)sd_notify(0, "READY=1");
	report_event("relay.started", "version=%s workers=%u listeners=%zu rules=%zu",
		     OUTBIND_VERSION, program.n_workers, program.now->n_fronts,
		     program.now->model.relay.rules.n);
	while (!program.stopping)
		ev_run(program.loop, EVRUN_ONCE);
	ev_timer_start(program.loop, &late);
	ev_run(program.loop, 0);
	return 0;
}

static void end(void)
{
	for (unsigned i = 0; i < program.n_workers; i++)
		pthread_join(program.workers[i].thread, NULL);
	control_stop(program.control);
	listen_drop(&program.listening);
	access_log_free(program.log);
	clients_free(program.clients);
	memory_free(program.memory);
	generation_unref(program.now);
	free(program.workers);
	ev_loop_destroy(program.loop);
	report_event("relay.ended", "next=none");
}

static int check_root(void)
{
	if (geteuid() != 0 || program.allow_root || program.check_only)
		return 0;
	fputs("outbind-relay: it needs no privilege and is not run as root; start it as the user "
	      "outbind-relay, or say --allow-root\n", stderr);
	return -EPERM;
}

static void note_start(void)
{
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm))
		(void)strftime(program.started, sizeof program.started, "%Y-%m-%dT%H:%M:%SZ", &tm);
	strcpy(program.last_reload, "none");
}

static int start(void)
{
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	raise_limit();
	program.loop = ev_default_loop(EVFLAG_NOENV);
	ev_async_init(&worker_ended, on_worker_ended);
	ev_async_start(program.loop, &worker_ended);
	program.clients = clients_new();
	program.memory = memory_new();
	note_start();
	r = access_log_new(program.now->model.relay.access_log, &program.log);
	if (r < 0) {
		fprintf(stderr, "outbind-relay: cannot write %s: %s\n",
			program.now->model.relay.access_log, strerror(-r));
		return r;
	}
	r = control_start(&program);
	if (r < 0) {
		fprintf(stderr, "outbind-relay: cannot make %s/control: %s\n", program.runtime_dir,
			strerror(-r));
		return r;
	}
	return start_workers();
}

int main(int argc, char **argv)
{
	int r = program_options(&program, argc, argv);

	if (r != 0)
		return r == 1 ? EXIT_SUCCESS : EXIT_CONFIG;
	if (check_root() < 0 || read_first() < 0)
		return EXIT_CONFIG;
	if (program.check_only) {
		generation_unref(program.now);
		return EXIT_SUCCESS;
	}
	if (start() < 0)
		return EXIT_FAILURE;
	r = run();
	end();
	return r;
}
