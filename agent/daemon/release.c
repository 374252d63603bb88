/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See release.h. One detached thread a release: a pool could be filled by the first few that wait.
 * Threads share nothing but a counter; they never touch the agent.
 */
#include "daemon/release.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

enum { FDS_OF_MESSAGE = 253, DRAINED_MAX = 1024, STACK = 64 * 1024 };	/* SCM_MAX_FD is 253 */

struct releaser {
	atomic_uint users;			/* its owner and every release that waits */
};

struct release {
	struct releaser *releaser;
	bool drain;
	size_t n;
	int fds[];
};

static void unuse(struct releaser *releaser)
{
	if (atomic_fetch_sub(&releaser->users, 1) == 1)
		free(releaser);
}

static void close_gently(int fd)
{
	struct linger none = { .l_onoff = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);	/* not a socket: fine */
	(void)close(fd);
}

static void close_passed(struct msghdr *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part;
	     part = CMSG_NXTHDR(message, part)) {
		size_t n = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fd;

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
			close_gently(fd);
		}
	}
}

/* Closing a socket closes what is queued in it: take that out and close it with care. */
static void drain_queue(int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * FDS_OF_MESSAGE)];
		struct cmsghdr align;
	} control;
	char byte;

	(void)shutdown(fd, SHUT_RDWR);		/* nothing more comes in meanwhile */
	for (int i = 0; i < DRAINED_MAX; i++) {
		struct iovec part = { &byte, 1 };
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
					  .msg_control = control.bytes,
					  .msg_controllen = sizeof control.bytes };
		ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n < 0 || (n == 0 && message.msg_controllen == 0))
			return;
		close_passed(&message);
	}
}

static void *run(void *context)
{
	struct release *release = context;

	if (release->drain)
		drain_queue(release->fds[0]);
	for (size_t i = 0; i < release->n; i++)
		close_gently(release->fds[i]);
	unuse(release->releaser);
	free(release);
	return NULL;
}

static int start(struct release *release)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r = pthread_attr_init(&attributes);

	if (r)
		return -r;
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attributes,
					STACK > PTHREAD_STACK_MIN ? (size_t)STACK
							      : (size_t)PTHREAD_STACK_MIN);
	r = pthread_create(&thread, &attributes, run, release);
	(void)pthread_attr_destroy(&attributes);
	return -r;
}

struct releaser *releaser_new(void)
{
	struct releaser *releaser = mem_zero(1, sizeof *releaser);

	atomic_init(&releaser->users, 1);
	return releaser;
}

void releaser_drop(struct releaser *releaser)
{
	if (releaser)
		unuse(releaser);
}

void releaser_close(struct releaser *releaser, const int *fds, size_t n, bool drain)
{
	struct release *release;

	if (n == 0)
		return;
	release = mem_zero(1, sizeof *release + n * sizeof *fds);
	*release = (struct release){ .releaser = releaser, .drain = drain, .n = n };
	memcpy(release->fds, fds, n * sizeof *fds);
	atomic_fetch_add(&releaser->users, 1);
	if (start(release) < 0)
		run(release);
}

bool releaser_is_full(struct releaser *releaser)
{
	return atomic_load(&releaser->users) > RELEASES_MAX;
}
