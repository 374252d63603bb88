/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl capture: packets of one binding or client, before and after translation. The agent makes the
 * rules, as long as our call lasts; the kernel hands the packets to us. What needs rights is opened first;
 * then they are given up, and only then a packet is read.
 */
#include "agent.h"
#include "base/mem.h"
#include "capture_parts.h"
#include "duration.h"
#include "number.h"
#include "pcapng.h"
#include "privilege.h"
#include "reply.h"
#include "subject.h"
#include "verbs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

enum { OPTION_WRITE, OPTION_COUNT, OPTION_SECONDS };
enum { SNAP_FILE = 65535, SNAP_LINE = 160, GROUP_FIRST = 20000, TICK_MS = 200 };

static const struct option options[] = {
	[OPTION_WRITE] = { "write", "FILE", "as pcapng into FILE, - is standard output; or -w",
			   COMPLETE_FILE },
	[OPTION_COUNT] = { "count", "N", "end after N records: a packet is two, before and after",
			   COMPLETE_NONE },
	[OPTION_SECONDS] = { "seconds", "T", "end after this time: 90, 90s, 5m or 2h",
			     COMPLETE_NONE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

struct capturing {				/* one run */
	struct ctl *ctl;
	const char *path;			/* of the file; NULL: lines */
	FILE *file;
	long long count;			/* records left; -1: no end */
	uint64_t until_ns;			/* monotonic; 0: no end */
	struct packet_log *log;
	struct fd call, signals;
	json_t *reply;
	struct { struct numbered *at; size_t n, room; } numbered;
	struct pcapng out;
	uint64_t records[STAGE_MISSED + 1];
	uint32_t link;				/* whose name is @link_name */
	char link_name[IF_NAMESIZE];
	bool ended, failed;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int read_options(struct capturing *capturing, const struct arguments *args)
{
	const char *count = args->value[OPTION_COUNT], *text = args->value[OPTION_SECONDS];
	struct ctl *ctl = capturing->ctl;
	long long seconds = 0;

	capturing->path = args->value[OPTION_WRITE];
	capturing->count = -1;
	if (count && !number_read(count, 1, LLONG_MAX, &capturing->count)) {
		ctl_complain(ctl, "--count: expected a number from 1, got '%s'", count);
		return CTL_USAGE;
	}
	if (text && (!duration_read(text, &seconds) || seconds < 1)) {
		ctl_complain(ctl, "--seconds: expected a time like 90, 90s, 5m or 2h, got '%s'",
			     text);
		return CTL_USAGE;
	}
	if (text)
		capturing->until_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)seconds * 1000000000;
	if (capturing->path && ctl->json) {
		ctl_complain(ctl, "--json and --write exclude each other");
		return CTL_USAGE;
	}
	return CTL_DONE;
}

/* "acme", or "KIND VALUE" of a client. */
static int read_client(struct ctl *ctl, const struct arguments *args, json_t *parameters)
{
	static const char *const kinds[] = { "unit", "cgroup", "user", "source", "pid" };
	const char *kind = args->n_rest == 2 ? args->rest[0] : "binding", *value;
	bool known = args->n_rest == 1;
	struct prefix prefix;
	long long pid;

	value = args->rest[args->n_rest - 1];
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		known |= strcmp(kinds[i], kind) == 0;
	if (!known) {
		ctl_complain(ctl, "expected a binding, or unit, cgroup, user, source or pid before "
			     "'%s', found '%s'", value, kind);
		return CTL_USAGE;
	}
	if (strcmp(kind, "source") == 0 && prefix_parse(value, &prefix) < 0) {
		ctl_complain(ctl,
			     "source: expected an address or a prefix like 10.0.0.0/8, got '%s'",
			     value);
		return CTL_USAGE;
	}
	if (strcmp(kind, "pid") != 0)
		return agent_add_text(ctl, parameters, kind, value);
	if (!number_read(value, 0, INT_MAX, &pid)) {
		ctl_complain(ctl, "pid: expected a number, got '%s'", value);
		return CTL_USAGE;
	}
	return subject_add(ctl, parameters, pid, true, false);
}

static int open_log(struct capturing *capturing, json_t *parameters)
{
	uint32_t snap = capturing->path ? SNAP_FILE : SNAP_LINE;
	uint16_t group = 0;
	int r = packet_log_open((uint16_t)(GROUP_FIRST + getpid() % 20000), snap, &capturing->log,
				&group);

	if (r == 0) {
		json_object_set_new(parameters, "group", json_integer(group));
		return CTL_DONE;
	}
	if (r == -EPERM) {
		ctl_complain(capturing->ctl, "permission denied: capturing is for root");
		return CTL_DENIED;
	}
	ctl_complain(capturing->ctl, "cannot read packets from the kernel: %s", strerror(-r));
	return CTL_REFUSED;
}

static int open_file(struct capturing *capturing)
{
	AUTO(fd_drop) struct fd fd = FD_NONE;

	if (!capturing->path)
		return CTL_DONE;
	if (strcmp(capturing->path, "-") == 0) {
		capturing->file = capturing->ctl->out;
	} else {
		fd.n = open(capturing->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		capturing->file = fd.n < 0 ? NULL : fdopen(fd.n, "w");
	}
	if (!capturing->file) {
		ctl_complain(capturing->ctl, "cannot write %s: %s", capturing->path,
			     strerror(errno));
		return CTL_REFUSED;
	}
	fd.n = -1;				/* the stream's now */
	pcapng_begin(&capturing->out, "outbindctl " OUTBIND_VERSION);
	pcapng_interface(&capturing->out, "before", "before translation", SNAP_FILE);
	pcapng_interface(&capturing->out, "after", "after translation", SNAP_FILE);
	return CTL_DONE;
}

/* From here on signals are read, so that the file gets its end. */
static int open_signals(struct capturing *capturing)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	capturing->signals.n = signalfd(-1, &signals, SFD_CLOEXEC);
	return capturing->signals.n < 0 ? CTL_REFUSED : CTL_DONE;
}

static void take_numbers(struct capturing *capturing)
{
	const json_t *list = reply_member(capturing->reply, "numbers");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		struct numbered numbered = { (uint32_t)reply_number(one, "mark"),
					     reply_text(one, "binding") };

		PUSH(&capturing->numbered, numbered);
	}
}

static void name_link(struct capturing *capturing, struct record *record)
{
	if (record->logged->link != capturing->link) {
		capturing->link = record->logged->link;
		if (!if_indextoname(capturing->link, capturing->link_name))
			capturing->link_name[0] = '\0';
	}
	(void)snprintf(record->link, sizeof record->link, "%s", capturing->link_name);
}

static void write_record(struct capturing *capturing, const struct record *record)
{
	char comment[CAPTURE_COMMENT];
	const struct pcapng_packet packet = {
		.interface = record->stage == STAGE_AFTER, .when_ns = record->logged->when_ns,
		.bytes = record->logged->bytes, .len = record->logged->len,
		.whole_len = capture_length(record), .out = record->logged->out,
		.comment = comment,
	};

	capture_comment(record, comment);
	pcapng_packet(&capturing->out, &packet);
}

static void print_record(struct capturing *capturing, const struct record *record)
{
	FILE *out = capturing->ctl->out;
	char line[CAPTURE_LINE];

	if (capturing->ctl->json) {
		AUTO(json_drop) json_t *json = capture_json(record);

		(void)json_dumpf(json, out, JSON_COMPACT);
		(void)fputc('\n', out);
		return;
	}
	capture_line(record, line);
	(void)fprintf(out, "%s\n", line);
}

static void on_logged(void *context, const struct logged *logged)
{
	struct capturing *capturing = context;
	struct record record;

	if (capturing->count == 0 || !capture_read(logged, capturing->numbered.at,
						   capturing->numbered.n, &record))
		return;
	capturing->records[record.stage]++;
	if (record.stage == STAGE_MISSED)
		return;
	capturing->count -= capturing->count > 0;
	name_link(capturing, &record);
	if (capturing->file)
		write_record(capturing, &record);
	else
		print_record(capturing, &record);
}

/* What was gathered goes to the file at once, so that it can be read meanwhile. */
static void flush(struct capturing *capturing)
{
	FILE *out = capturing->file ? capturing->file : capturing->ctl->out;

	if (capturing->out.n > 0)
		(void)fwrite(capturing->out.at, 1, capturing->out.n, out);
	capturing->out.n = 0;
	if (fflush(out) == 0 && !ferror(out))
		return;
	if (errno != EPIPE)
		ctl_complain(capturing->ctl, "cannot write: %s", strerror(errno));
	capturing->failed = capturing->ended = true;
}

static void show(const struct capturing *capturing)
{
	const struct ctl *ctl = capturing->ctl;

	if (!ctl->progress || !capturing->file)
		return;
	(void)fprintf(ctl->err, "\r\033[K%" PRIu64 " records, %" PRIu64 " lost",
		      capturing->records[STAGE_BEFORE] + capturing->records[STAGE_AFTER],
		      packet_log_lost(capturing->log));
	(void)fflush(ctl->err);
}

/* One turn: wait for packets, a signal, or the end of the agent's side. */
static void turn(struct capturing *capturing)
{
	struct pollfd ready[] = {
		{ .fd = packet_log_fd(capturing->log), .events = POLLIN },
		{ .fd = capturing->signals.n, .events = POLLIN },
		{ .fd = capturing->call.n, .events = POLLIN | POLLRDHUP },
	};
	int r;

	if (poll(ready, ARRAY_LEN(ready), TICK_MS) < 0 && errno != EINTR) {
		capturing->failed = capturing->ended = true;
		return;
	}
	r = packet_log_read(capturing->log, on_logged, capturing);
	if (r < 0) {
		ctl_complain(capturing->ctl, "cannot read packets: %s", strerror(-r));
		capturing->failed = capturing->ended = true;
	}
	flush(capturing);
	show(capturing);
	if (ready[2].revents) {
		ctl_complain(capturing->ctl, "the agent ended, and with it the capture");
		capturing->failed = capturing->ended = true;
	}
	capturing->ended |= ready[1].revents || capturing->count == 0 ||
			    (capturing->until_ns &&
			     clock_ns(CLOCK_MONOTONIC) >= capturing->until_ns);
}

static void say_end(const struct capturing *capturing)
{
	const uint64_t *records = capturing->records;
	const struct ctl *ctl = capturing->ctl;
	uint64_t lost = packet_log_lost(capturing->log);
	uint64_t n = records[STAGE_BEFORE] + records[STAGE_AFTER];

	if (ctl->progress && capturing->file)
		(void)fputs("\r\033[K", ctl->err);
	(void)fprintf(ctl->err, "%" PRIu64 " record%s (%" PRIu64 " before, %" PRIu64
		      " after translation), %" PRIu64 " lost\n", n, n == 1 ? "" : "s",
		      records[STAGE_BEFORE], records[STAGE_AFTER], lost);
	if (lost > 0)
		ctl_complain(ctl, "%" PRIu64 " records were lost: they came faster than they were "
			     "read", lost);
	if (records[STAGE_MISSED] > 0)
		ctl_complain(ctl, "%" PRIu64 " packets are missing: the client had more flows than "
			     "there was room for", records[STAGE_MISSED]);
}

static int capture(struct capturing *capturing)
{
	uint64_t now;

	while (!capturing->ended)
		turn(capturing);
	now = clock_ns(CLOCK_REALTIME);
	for (uint32_t i = 0; capturing->file && i <= STAGE_AFTER; i++)
		pcapng_statistics(&capturing->out, i, now, capturing->records[i],
				  i == 0 ? packet_log_lost(capturing->log) : 0);
	flush(capturing);
	say_end(capturing);
	return capturing->failed ? CTL_REFUSED : CTL_DONE;
}

static void capturing_drop(struct capturing *capturing)
{
	fd_drop(&capturing->call);
	fd_drop(&capturing->signals);
	packet_log_close(capturing->log);
	json_decref(capturing->reply);
	free(capturing->numbered.at);
	pcapng_drop(&capturing->out);
	if (capturing->file && capturing->file != capturing->ctl->out)
		(void)fclose(capturing->file);
}

static int capture_run(struct ctl *ctl, const struct arguments *args)
{
	struct capturing capturing = { .ctl = ctl, .call = FD_NONE, .signals = FD_NONE };
	AUTO(json_drop) json_t *parameters = json_object();
	int r = read_options(&capturing, args);

	if (r == CTL_DONE)
		r = read_client(ctl, args, parameters);
	if (r == CTL_DONE)
		r = open_log(&capturing, parameters);
	if (r == CTL_DONE)
		r = agent_begin(ctl, "Capture", json_incref(parameters), &capturing.call,
				&capturing.reply);
	if (r == CTL_DONE)
		r = open_file(&capturing);
	if (r == CTL_DONE)
		r = open_signals(&capturing);
	if (r == CTL_DONE)
		r = privilege_drop(ctl);
	if (r == CTL_DONE) {
		take_numbers(&capturing);
		r = capture(&capturing);
	}
	capturing_drop(&capturing);
	return r;
}

const struct verb capture_verb = {
	.name = "capture",
	.synopsis = "BINDING | unit U | cgroup PATH | user U | source PREFIX | pid N",
	.summary = "packets of a binding or client, before and after translation",
	.text = "For root. A line each, or with --write a pcapng file in which the comment of each packet\n"
		"names its binding. Each packet is there twice: on the way out before and after its source\n"
		"is translated, on the way in before and after it is translated back; one that is dropped\n"
		"in between is there once. While it runs the agent keeps a table of rules for it; nothing is\n"
		"left of it afterwards. pid is what its user sends from its cgroup. What was lost because it\n"
		"came too fast is counted. All rights are given up before a packet is read.\n",
	.options = options,
	.least = 1,
	.most = 2,
	.complete = COMPLETE_SUBJECT,
	.run = capture_run,
};
