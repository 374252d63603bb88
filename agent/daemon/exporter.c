/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See exporter.h. The program gets a socket to us as descriptor 3 and those that it is to accept on
 * behind it. It asks with one octet, a format, and is answered with the same and a sealed memfd. What it
 * sends is no more to be trusted than what it was sent. When it ends, it is started again, later each
 * time; when the configuration says other sockets, it is ended and started with those (exporter_sockets.h).
 *
 * A text is given out again for AGAIN_USEC, so that whoever asks all the time costs no more than who
 * asks five times a second.
 */
#include "daemon/exporter.h"

#include "base/mem.h"
#include "daemon/child.h"
#include "daemon/collector.h"
#include "daemon/exporter_sockets.h"
#include "daemon/log.h"
#include "proto/pass_fd.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define PROGRAM		"outbind-exporter"

enum { AGAIN_USEC = 200 * 1000, RETRY_FIRST = 1000 * 1000, RETRY_LAST = 60 * 1000 * 1000,
       UNSENT_USEC = 10 * 1000 };

_Static_assert((int)EXPORTER_SOCKETS <= (int)CHILD_MORE_MAX, "a program can be given as many");

struct exporter {
	struct agent *agent;
	struct collector *collector;		/* NULL: nobody has asked yet */
	sd_event_source *on_text, *on_retry, *on_unsent;
	bool serving;
	struct exporter_sockets sockets;	/* what the program was started for */
	struct child program;
	uint64_t retry;				/* usec to wait before the next start */
	bool unsent;				/* @text is to be sent again, and that was said */
	bool asked;				/* the collector is at work, for @format: */
	enum openmetrics_format format;
	uint64_t rows;				/* agent->changes when rows were sent */
	struct fd text;				/* the last one, of that format */
	uint64_t text_made;
};

static void start(struct exporter *exporter);

static void log_failed(struct exporter *exporter, const char *what, int r)
{
	if (log_allowed(&exporter->agent->doors.log))
		log_event(EVENT_METRICS_FAILED, "text=\"%s: %s\" next=retry", what, strerror(-r));
}

/* One octet to the program, and @text if it is there. A program that does not read loses answers; while our
 * user has too many descriptors on their way (unix(7), ETOOMANYREFS), which is not its fault, it waits. */
static void send_text(struct exporter *exporter, int text)
{
	char octet = exporter->format == OPENMETRICS_1 ? '1' : '0';
	int r = pass_fd_send(exporter->program.link.n, &octet, 1, text, MSG_DONTWAIT);

	if (r < 0 && !exporter->unsent)
		log_failed(exporter, "cannot hand over figures", r);
	exporter->unsent = r == -ETOOMANYREFS;
	if (!exporter->unsent)
		return;
	if (sd_event_source_set_time_relative(exporter->on_unsent, UNSENT_USEC) >= 0)
		(void)sd_event_source_set_enabled(exporter->on_unsent, SD_EVENT_ONESHOT);
}

static int on_text(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct exporter *exporter = context;

	(void)source;
	(void)fd;
	(void)revents;
	fd_drop(&exporter->text);
	exporter->text = collector_take(exporter->collector);
	exporter->text_made = agent_clock();
	exporter->asked = false;
	if (exporter->program.link.n >= 0)
		send_text(exporter, exporter->text.n);
	return 0;
}

/* With the first request: its thread keeps the capabilities that we have then. 0 or -errno. */
static int need_collector(struct exporter *exporter)
{
	struct collector *collector;
	int r;

	if (exporter->collector)
		return 0;
	r = collector_open(exporter->agent->options->kernel.table, &collector);
	if (r < 0)
		return r;
	r = sd_event_add_io(exporter->program.event, &exporter->on_text, collector_fd(collector),
			    EPOLLIN, on_text, exporter);
	if (r < 0)
		collector_close(collector);
	else
		exporter->collector = collector;
	return r < 0 ? r : 0;
}

static void ask(struct exporter *exporter, enum openmetrics_format format)
{
	bool changed;
	int r;

	if (exporter->asked)
		return;				/* it has not waited for its answer */
	if (exporter->text.n >= 0 && exporter->format == format &&
	    agent_clock() - exporter->text_made < AGAIN_USEC) {
		send_text(exporter, exporter->text.n);
		return;
	}
	exporter->format = format;
	r = need_collector(exporter);
	if (r < 0) {
		log_failed(exporter, "cannot read figures", r);
		send_text(exporter, -1);
		return;
	}
	exporter->asked = true;
	changed = exporter->rows != exporter->agent->changes;
	collector_ask(exporter->collector, sheet_new(exporter->agent, format, changed));
	exporter->rows = exporter->agent->changes;
}

static int on_unsent(sd_event_source *source, uint64_t usec, void *context)
{
	struct exporter *exporter = context;

	(void)source;
	(void)usec;
	if (exporter->program.link.n >= 0 && exporter->text.n >= 0)
		send_text(exporter, exporter->text.n);
	else if (exporter->program.link.n >= 0)
		ask(exporter, exporter->format);	/* what was to be sent is of what was in force before */
	return 0;
}

static int on_request(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct exporter *exporter = context;
	char octet;
	ssize_t n = recv(fd, &octet, 1, MSG_DONTWAIT);

	(void)revents;
	if (exporter_sockets_complete(&exporter->sockets))
		exporter->retry = RETRY_FIRST;	/* it works */
	if (n == 1)
		ask(exporter, octet == '1' ? OPENMETRICS_1 : OPENMETRICS_PROMETHEUS);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);	/* its end is told */
	return 0;
}

static void retry_later(struct exporter *exporter)
{
	uint64_t wait = exporter->retry;

	exporter->retry = wait * 2 < RETRY_LAST ? wait * 2 : RETRY_LAST;
	if (sd_event_source_set_time_relative(exporter->on_retry, wait) >= 0)
		(void)sd_event_source_set_enabled(exporter->on_retry, SD_EVENT_ONESHOT);
}

static void on_end(void *context, const siginfo_t *how)
{
	struct exporter *exporter = context;

	log_event(EVENT_METRICS_FAILED, "text=\"%s ended: %s %d\" next=retry", PROGRAM,
		  how->si_code == CLD_EXITED ? "exit status" : "signal", how->si_status);
	retry_later(exporter);
}

static bool open_sockets(struct exporter *exporter)
{
	return exporter_sockets_open(&exporter->sockets, exporter->agent->options->runtime_dir);
}

/* Its sockets are given to a program when it starts, so it has to end for a new one; for none it need not. */
static int on_retry(sd_event_source *source, uint64_t usec, void *context)
{
	struct exporter *exporter = context;
	size_t before = exporter_sockets_count(&exporter->sockets);

	(void)source;
	(void)usec;
	if (exporter->program.pid && !open_sockets(exporter) &&
	    exporter_sockets_count(&exporter->sockets) == before) {
		retry_later(exporter);
		return 0;
	}
	child_end(&exporter->program);
	start(exporter);
	return 0;
}

/* Beside our own program, wherever that stands. */
static int program_path(char out[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - sizeof PROGRAM - 1);
	char *slash;

	if (n < 0)
		return -errno;
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (!slash)
		return -ENOENT;
	strcpy(slash + 1, PROGRAM);
	return 0;
}

/* Run it with what we listen on, and how many that are. */
static int run_program(struct exporter *exporter)
{
	char name[] = PROGRAM, count[24], *arguments[] = { name, count, NULL }, path[PATH_MAX];
	struct fd more[EXPORTER_SOCKETS];	/* borrowed */
	size_t n = 0;
	int r = program_path(path);

	for (int i = 0; i < EXPORTER_SOCKETS; i++)
		if (exporter->sockets.at[i].n >= 0)
			more[n++] = exporter->sockets.at[i];
	(void)snprintf(count, sizeof count, "%zu", n);
	return r < 0 ? r : child_start(&exporter->program, &(struct child_program){
			.path = path, .arguments = arguments, .more = more, .n_more = n,
			.speaks = true });
}

static void start(struct exporter *exporter)
{
	const struct exporter_sockets *sockets = &exporter->sockets;
	bool all = open_sockets(exporter), any = exporter_sockets_count(sockets) > 0;
	char place[ENDPOINT_TEXT] = "-";
	int r = any ? run_program(exporter) : 0;

	if (r < 0)
		log_event(EVENT_METRICS_FAILED, "text=\"cannot start %s: %s\" next=retry", PROGRAM,
			  strerror(-r));
	if (r < 0 || !all) {
		retry_later(exporter);
		return;
	}
	if (sockets->said.listen.port)
		(void)conf_relay_endpoint(&sockets->said.listen, place, sizeof place);
	if (any)
		log_event(EVENT_METRICS_LISTENING, "path=%s address=%s",
			  sockets->said.no_socket ? "-" : sockets->path, place);
}

void exporter_follow(struct exporter *exporter)
{
	const struct metrics_settings *wanted;

	if (!exporter)
		return;
	wanted = &exporter->agent->now->model.metrics;
	fd_drop(&exporter->text);		/* of what was in force before */
	if (exporter->serving && exporter_sockets_same(&exporter->sockets, wanted))
		return;
	child_end(&exporter->program);
	exporter_sockets_say(&exporter->sockets, wanted);
	(void)sd_event_source_set_enabled(exporter->on_retry, SD_EVENT_OFF);
	exporter->serving = true;
	exporter->retry = RETRY_FIRST;
	start(exporter);
}

int exporter_open(struct sd_event *event, struct agent *agent, struct exporter **ret)
{
	struct exporter *exporter = mem_zero(1, sizeof *exporter);
	int r;

	exporter->agent = agent;
	exporter->program = (struct child){ .event = sd_event_ref(event), .hear = on_request,
					    .ended = on_end, .owner = exporter, .link = FD_NONE };
	exporter->text = FD_NONE;
	exporter_sockets_init(&exporter->sockets);
	r = sd_event_add_time_relative(event, &exporter->on_retry, CLOCK_MONOTONIC, 0, 1000,
				       on_retry, exporter);
	if (r >= 0)
		r = sd_event_source_set_enabled(exporter->on_retry, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &exporter->on_unsent, CLOCK_MONOTONIC, 0,
					       1000, on_unsent, exporter);
	if (r >= 0)
		r = sd_event_source_set_enabled(exporter->on_unsent, SD_EVENT_OFF);
	if (r < 0) {
		exporter_close(exporter);
		return r;
	}
	exporter_follow(exporter);
	*ret = exporter;
	return 0;
}

void exporter_close(struct exporter *exporter)
{
	if (!exporter)
		return;
	child_end(&exporter->program);
	sd_event_source_disable_unref(exporter->on_text);
	sd_event_source_disable_unref(exporter->on_retry);
	sd_event_source_disable_unref(exporter->on_unsent);
	collector_close(exporter->collector);
	exporter_sockets_drop(&exporter->sockets);
	fd_drop(&exporter->text);
	sd_event_unref(exporter->program.event);
	free(exporter);
}
