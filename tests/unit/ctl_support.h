/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An agent that says what a test wrote down, and a run of outbindctl against it. The fake serves
 * its connections in a thread, one after the other: reads one call, writes the replies, closes.
 */
#pragma once

#include "../../ctl/verbs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define HANG "HANG"				/* replies: read the call and stay silent */
#define NEXT "\f"				/* replies: those after it are for the next connection */
enum { PATIENCE_MS = 200, ACCEPT_MS = 2000 };

struct fake {
	char dir[64], path[108];
	struct fd listener;
	pthread_t thread;
	const char *replies;			/* one message a line */
	char call[4096];			/* what was asked, latest */
};

struct run {					/* what outbindctl did */
	int status;
	char *out, *err;
};

static inline void fake_serve_one(struct fake *fake, int fd, const char *replies, size_t len)
{
	char *AUTO(mem_drop) bytes = strndup(replies, len);
	size_t got = 0;

	memset(fake->call, 0, sizeof fake->call);
	while (got < sizeof fake->call - 1 && (got == 0 || fake->call[got - 1])) {
		ssize_t n = recv(fd, fake->call + got, sizeof fake->call - 1 - got, 0);

		if (n <= 0)
			return;
		got += (size_t)n;
	}
	if (strcmp(bytes, HANG) == 0) {
		(void)poll(&(struct pollfd){ .fd = fd, .events = POLLRDHUP }, 1, ACCEPT_MS);
		return;
	}
	for (size_t i = 0; i < len; i++)
		if (bytes[i] == '\n')
			bytes[i] = '\0';
	if (len > 0)
		(void)!send(fd, bytes, len, MSG_NOSIGNAL);
}

static inline void *fake_serve(void *argument)
{
	struct fake *fake = argument;
	struct pollfd ready = { .fd = fake->listener.n, .events = POLLIN };
	const char *replies = fake->replies;

	while (replies && poll(&ready, 1, ACCEPT_MS) > 0) {
		AUTO(fd_drop) struct fd fd = { .n = accept(fake->listener.n, NULL, NULL) };
		size_t len = strcspn(replies, NEXT);

		if (fd.n < 0)
			break;
		fake_serve_one(fake, fd.n, replies, len);
		replies = replies[len] ? replies + len + 1 : NULL;
	}
	return NULL;
}

static inline void fake_start(struct fake *fake, const char *replies)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	*fake = (struct fake){ .dir = "/tmp/outbind-ctl-XXXXXX", .replies = replies };
	assert_non_null(mkdtemp(fake->dir));
	(void)snprintf(fake->path, sizeof fake->path, "%s/org.outbind", fake->dir);
	(void)strcpy(at.sun_path, fake->path);
	fake->listener.n = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fake->listener.n, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fake->listener.n, 4), 0);
	assert_int_equal(pthread_create(&fake->thread, NULL, fake_serve, fake), 0);
}

static inline void fake_stop(struct fake *fake)
{
	(void)shutdown(fake->listener.n, SHUT_RDWR);	/* wakes the thread if nobody called */
	(void)pthread_join(fake->thread, NULL);
	fd_drop(&fake->listener);
	(void)unlink(fake->path);
	(void)rmdir(fake->dir);
}

static inline void run_drop(struct run *run)
{
	free(run->out);
	free(run->err);
}

/* outbindctl with the words of @line (separated by single spaces; "''" is an empty word). */
static inline struct run run_ctl(const char *runtime_dir, const char *line)
{
	struct run run = { 0 };
	size_t out_size, err_size;
	struct ctl ctl = { .runtime_dir = runtime_dir, .relay_dir = runtime_dir,
			   .patience_ms = PATIENCE_MS };
	char *AUTO(mem_drop) words = strdup(line), *rest = words, *argv[32] = { NULL }, *word;
	char name[] = "outbindctl";
	int argc = 1;

	argv[0] = name;
	while ((word = strsep(&rest, " ")) && argc < 31) {
		if (strcmp(word, "''") == 0)
			argv[argc++] = word + 2;
		else if (*word)
			argv[argc++] = word;
	}
	ctl.out = open_memstream(&run.out, &out_size);
	ctl.err = open_memstream(&run.err, &err_size);
	run.status = verbs_run(&ctl, argc, argv);
	assert_int_equal(fclose(ctl.out), 0);
	assert_int_equal(fclose(ctl.err), 0);
	return run;
}

/* All rows of a table are looked at before the test fails, so that one run shows them all. */
static inline int differs(const char *what, const char *which, const char *got, const char *want)
{
	if (strcmp(got, want) == 0)
		return 0;
	print_error("%s: %s: got\n%s\nwant\n%s\n", what, which, got, want);
	return 1;
}
