/* SPDX-License-Identifier: MIT */
/*
 * Client of the tag socket (proto/tag.h): one connection per call, one message each way, one
 * deadline for all of it. What the agent answers is not trusted: anything that is not exactly a
 * reply is -EPROTO, and the caller must not connect the socket then.
 *
 * Stands alone, without outbind's other sources, so that it can be copied into a program.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE			/* secure_getenv, strerror_r */
#endif

#include "outbind.h"

#include "internal.h"
#include "proto/tag.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { TIMEOUT_MS = 5000, NAME_BYTES = 63 };

struct answer { char *text; size_t room; };	/* the caller's buffer */

static void say(const struct answer *answer, const char *text)
{
	if (answer->room > 0)
		(void)snprintf(answer->text, answer->room, "%s", text);
}

/* Say what errno @error means and return it as it goes to the caller. */
static int fail(const struct answer *answer, const char *what, int error)
{
	char text[128], reason[96];

	(void)snprintf(text, sizeof text, "%s: %s", what, strerror_r(error, reason, sizeof reason));
	say(answer, text);
	return -error;
}

static long long now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / (1000 * 1000);
}

/* Wait until @fd is ready for @events, or until @deadline: -ETIMEDOUT. */
static int wait_for(int fd, short events, long long deadline)
{
	for (;;) {
		struct pollfd ready = { .fd = fd, .events = events };
		long long left = deadline - now_ms();
		int n;

		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&ready, 1, (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* A name as the agent takes it: no spaces, control characters or colons. */
static int is_name(const char *binding)
{
	size_t len = strnlen(binding, NAME_BYTES + 1);

	if (len < 1 || len > NAME_BYTES)
		return 0;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)binding[i] <= ' ' || binding[i] == ':' || binding[i] == 0x7f)
			return 0;
	return 1;
}

/* connect(2) blocks while the agent's queue is full; the send timeout bounds that (unix(7)). */
static int connect_to(int fd, const char *path, int timeout_ms)
{
	struct timeval timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000L };
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof to.sun_path)
		return -ENAMETOOLONG;
	(void)strcpy(to.sun_path, path);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int connect_error(const struct answer *answer, int error)
{
	if (error == EACCES || error == EPERM)
		return fail(answer, "cannot talk to the agent", EPERM);
	if (error == EAGAIN)
		return fail(answer, "the agent is busy", ETIMEDOUT);
	(void)fail(answer, "the agent is not there", error);
	return -EHOSTDOWN;
}

/* The request with @fd attached. */
static int send_request(int agent, int fd, const char *binding, long long deadline)
{
	char request[TAG_REQUEST_MAX + 1];
	union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct iovec text = { .iov_base = request };
	struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof control.room };

	text.iov_len =
		(size_t)snprintf(request, sizeof request, "%s%s", TAG_REQUEST_PREFIX, binding);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	while (sendmsg(agent, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		int r = errno == EAGAIN	 ? wait_for(agent, POLLOUT, deadline)
			: errno == EINTR ? 0
					 : -errno;

		if (r < 0)
			return r;
	}
	return 0;
}

/* Bytes of the reply, 0 if the agent closed the connection. No room is given for descriptors, so
 * the kernel drops any that come along. */
static ssize_t receive_reply(int agent, char *text, size_t room, long long deadline)
{
	for (;;) {
		ssize_t n = recv(agent, text, room, MSG_DONTWAIT);
		int r;

		if (n >= 0)
			return n;
		r = errno == EAGAIN  ? wait_for(agent, POLLIN, deadline)
		    : errno == EINTR ? 0
				     : -errno;
		if (r < 0)
			return r;
	}
}

static int garbled(const struct answer *answer)
{
	say(answer, "the agent's answer is not a reply to a tag request");
	return -EPROTO;
}

/* "MARK ADDRESS..." after TAG_REPLY_OK. */
static int read_success(const char *text, const struct answer *answer)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || (text[digits] != ' ' && text[digits] != '\0'))
		return garbled(answer);
	if (strspn(text + digits, " 0123456789abcdefABCDEF.:") != strlen(text + digits))
		return garbled(answer);
	say(answer, text + digits + (text[digits] == ' '));
	return 0;
}

/* "CODE TEXT" after TAG_REPLY_ERROR. */
static int read_failure(const char *text, const struct answer *answer)
{
	static const struct { const char *code; int error; } failures[] = {
		{ TAG_UNKNOWN, ENOENT }, { TAG_DENIED, EPERM }, { TAG_UNUSABLE, ENETUNREACH },
		{ TAG_BAD_SOCKET, EINVAL }, { TAG_BAD_REQUEST, EPROTO },
		{ TAG_TOO_MANY, EAGAIN }, { TAG_NOT_NOW, EAGAIN },
	};
	size_t len = strcspn(text, " ");

	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		if (strlen(failures[i].code) != len || strncmp(failures[i].code, text, len) != 0)
			continue;
		say(answer, text[len] ? text + len + 1 : failures[i].code);
		return -failures[i].error;
	}
	return garbled(answer);
}

/* @text of @n bytes, with room for a NUL after them. */
static int read_reply(char *text, size_t n, const struct answer *answer)
{
	size_t ok = strlen(TAG_REPLY_OK), error = strlen(TAG_REPLY_ERROR);

	text[n] = '\0';
	if (n > TAG_REPLY_MAX)
		return garbled(answer);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return garbled(answer);
	if (strncmp(text, TAG_REPLY_OK, ok) == 0)
		return read_success(text + ok, answer);
	if (strncmp(text, TAG_REPLY_ERROR, error) == 0)
		return read_failure(text + error, answer);
	return garbled(answer);
}

/* Everything after the socket to the agent is there. */
static int ask(int agent, const char *path, int timeout_ms, int fd, const char *binding,
	       const struct answer *answer)
{
	long long deadline = now_ms() + timeout_ms;
	char text[TAG_REPLY_MAX + 2];		/* a byte more than allowed, and a NUL */
	ssize_t n;
	int r = connect_to(agent, path, timeout_ms);

	if (r < 0)
		return connect_error(answer, -r);
	r = send_request(agent, fd, binding, deadline);
	if (r == -EBADF || r == -EINVAL)
		return fail(answer, "not a socket", EINVAL);
	n = r < 0 ? r : receive_reply(agent, text, sizeof text - 1, deadline);
	if (n == 0 || n == -EPIPE || n == -ECONNRESET) {
		say(answer, "the agent went away");
		return -EHOSTDOWN;
	}
	if (n < 0)
		return fail(answer, "no answer from the agent", (int)-n);
	return read_reply(text, (size_t)n, answer);
}

int outbind_tag_at(const char *path, int timeout_ms, int fd, const char *binding, char *reply,
		   size_t room)
{
	const struct answer answer = { .text = reply, .room = reply ? room : 0 };
	int agent, r;

	say(&answer, "");
	if (!binding || !is_name(binding)) {
		say(&answer, "not a name of a binding");
		return -EINVAL;
	}
	if (fd < 0)
		return fail(&answer, "not a socket", EINVAL);
	agent = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (agent < 0)
		return fail(&answer, "cannot make a socket", errno);
	r = ask(agent, path, timeout_ms, fd, binding, &answer);
	(void)close(agent);
	return r;
}

int outbind_tag(int fd, const char *binding, char *reply, size_t room)
{
	const char *dir = secure_getenv("OUTBIND_RUNTIME_DIR");
	char path[sizeof((struct sockaddr_un *)0)->sun_path + 1];

	/* a path that is cut here is still too long for a socket, and refused as such */
	(void)snprintf(path, sizeof path, "%s/%s", dir && *dir ? dir : "/run/outbind",
		       TAG_SOCKET_NAME);
	return outbind_tag_at(path, TIMEOUT_MS, fd, binding, reply, room);
}
