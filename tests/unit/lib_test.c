/* SPDX-License-Identifier: GPL-2.0-or-later */
/* liboutbind against agents that answer, lie, stay silent or go away. */
#include "../../lib/internal.h"
#include "../../lib/outbind.h"
#include "base/own.h"
#include "proto/tag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define CLOSES	"\001closes"
#define SILENT	"\001silent"
#define EMPTY	""
enum { TIMEOUT_MS = 100, WAIT_MS = 2000 };

struct server {
	char dir[64], path[108];
	struct fd listener;
	pthread_t thread;
	const char *reply;
	size_t reply_len;
	char request[256];
	int n_fds;				/* that came with the request */
	ino_t inode;				/* of the socket that came */
};

/* Read the request; look at what came with it. */
static void take_request(struct server *server, int fd)
{
	union { struct cmsghdr header; char room[CMSG_SPACE(4 * sizeof(int))]; } control;
	struct iovec text = { server->request, sizeof server->request - 1 };
	struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof control.room };
	struct cmsghdr *part;
	struct stat about;

	if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) < 0)
		return;
	part = CMSG_FIRSTHDR(&message);
	if (!part || part->cmsg_type != SCM_RIGHTS)
		return;
	server->n_fds = (int)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	for (int i = 0; i < server->n_fds; i++) {
		AUTO(fd_drop) struct fd got = FD_NONE;

		memcpy(&got.n, CMSG_DATA(part) + (size_t)i * sizeof(int), sizeof(int));
		if (fstat(got.n, &about) == 0)
			server->inode = about.st_ino;
	}
}

/* The reply, with a descriptor that nobody asked for. */
static void send_reply(const struct server *server, int fd)
{
	union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct iovec text = { (void *)(uintptr_t)server->reply, server->reply_len };
	struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof control.room };

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	(void)sendmsg(fd, &message, MSG_NOSIGNAL);
}

static void *serve(void *argument)
{
	struct server *server = argument;
	struct pollfd ready = { .fd = server->listener.n, .events = POLLIN };
	AUTO(fd_drop) struct fd fd = FD_NONE;

	if (poll(&ready, 1, WAIT_MS) <= 0)
		return NULL;
	fd.n = accept(server->listener.n, NULL, NULL);
	if (fd.n < 0 || strcmp(server->reply, CLOSES) == 0)
		return NULL;
	take_request(server, fd.n);
	if (strcmp(server->reply, SILENT) == 0)
		(void)poll(&(struct pollfd){ .fd = fd.n, .events = POLLIN }, 1, WAIT_MS);
	else
		send_reply(server, fd.n);
	return NULL;
}

static void server_start(struct server *server, const char *reply, size_t len)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	*server = (struct server){ .dir = "/tmp/outbind-lib-XXXXXX", .reply = reply, .reply_len = len };
	assert_non_null(mkdtemp(server->dir));
	(void)snprintf(server->path, sizeof server->path, "%s/tag", server->dir);
	(void)strcpy(at.sun_path, server->path);
	server->listener.n = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->listener.n, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(server->listener.n, 4), 0);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	(void)shutdown(server->listener.n, SHUT_RDWR);
	(void)pthread_join(server->thread, NULL);
	fd_drop(&server->listener);
	(void)unlink(server->path);
	(void)rmdir(server->dir);
}

static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

static const struct {
	const char *what, *reply;
	int want;
	const char *text;			/* NULL: any */
} replies[] = {
	{ "tagged", "OK 7 192.0.2.11 2001:db8::11", 0, "192.0.2.11 2001:db8::11" },
	{ "tagged, no address told", "OK 7", 0, "" },
	{ "unknown binding", "ERROR unknown-binding no binding 'acme'", -ENOENT, "no binding 'acme'" },
	{ "not allowed", "ERROR not-allowed needs user mail", -EPERM, "needs user mail" },
	{ "unusable", "ERROR unusable address is gone", -ENETUNREACH, "address is gone" },
	{ "bad socket", "ERROR bad-socket it is connected", -EINVAL, "it is connected" },
	{ "a protocol of another version", "ERROR bad-request what?", -EPROTO, "what?" },
	{ "a code without a text", "ERROR unusable", -ENETUNREACH, "unusable" },
	{ "a code nobody knows", "ERROR tired later", -EPROTO, NULL },
	{ "the beginning of a code", "ERROR unus x", -EPROTO, NULL },
	{ "OK and nothing", "OK", -EPROTO, NULL },
	{ "OK and a space", "OK ", -EPROTO, NULL },
	{ "a mark that is no number", "OK seven 192.0.2.11", -EPROTO, NULL },
	{ "a mark with letters", "OK 7x 192.0.2.11", -EPROTO, NULL },
	{ "addresses that are none", "OK 7 ../../etc", -EPROTO, NULL },
	{ "another word", "OKAY 7", -EPROTO, NULL },
	{ "garbage", "\xff\xfe", -EPROTO, NULL },
	{ "two lines", "OK 7 192.0.2.11\nERROR", -EPROTO, NULL },
	{ "a terminal escape", "ERROR unusable \033[2J", -EPROTO, NULL },
	{ "closes at once", CLOSES, -EHOSTDOWN, NULL },
	{ "an empty message", EMPTY, -EHOSTDOWN, NULL },
	{ "never answers", SILENT, -ETIMEDOUT, NULL },
};

static int check_reply(const char *what, const char *reply, size_t len, int want, const char *text)
{
	AUTO(fd_drop) struct fd fd = { .n = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	struct server server;
	struct stat about;
	char got[256];
	int r, wrong = 0, before = open_fds();

	server_start(&server, reply, len);
	memset(got, 0xa5, sizeof got);
	r = outbind_tag_at(server.path, TIMEOUT_MS, fd.n, "acme", got, sizeof got);
	server_stop(&server);
	if (r != want || !memchr(got, '\0', sizeof got) || (text && strcmp(got, text) != 0)) {
		print_error("%s: got %d '%.256s', want %d '%s'\n", what, r, got, want, text ? text : "...");
		wrong = 1;
	}
	if (server.n_fds == 1 && fstat(fd.n, &about) == 0 && about.st_ino != server.inode) {
		print_error("%s: another socket arrived\n", what);
		wrong = 1;
	}
	if (open_fds() != before) {
		print_error("%s: %d descriptors before, %d after\n", what, before, open_fds());
		wrong = 1;
	}
	return wrong;
}

static void test_replies(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++)
		wrong += check_reply(replies[i].what, replies[i].reply, strlen(replies[i].reply),
				     replies[i].want, replies[i].text);
	assert_int_equal(wrong, 0);
}

/* One byte above the limit, far above it, exactly at it; a NUL in the middle. */
static void test_sizes(void **state)
{
	char *AUTO(mem_drop) big = malloc(65536);

	(void)state;
	memset(big, ' ', 65536);
	memcpy(big, "OK 7", 4);
	assert_int_equal(check_reply("largest", big, TAG_REPLY_MAX, 0, NULL), 0);
	assert_int_equal(check_reply("too large", big, TAG_REPLY_MAX + 1, -EPROTO, NULL), 0);
	assert_int_equal(check_reply("much too large", big, 65536, -EPROTO, NULL), 0);
	assert_int_equal(check_reply("a NUL inside", "OK 7\0 192.0.2.1", 15, -EPROTO, NULL), 0);
}

/* What is sent is what proto/tag.h says: one text, one descriptor. */
static void test_request(void **state)
{
	AUTO(fd_drop) struct fd fd = { .n = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	struct server server;

	(void)state;
	server_start(&server, "OK 1 192.0.2.1", 14);
	assert_int_equal(outbind_tag_at(server.path, TIMEOUT_MS, fd.n, "acme", NULL, 0), 0);
	server_stop(&server);
	assert_string_equal(server.request, "TAG 1 acme");
	assert_int_equal(server.n_fds, 1);
}

static void test_short_buffer(void **state)
{
	AUTO(fd_drop) struct fd fd = { .n = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	struct server server;
	char got[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };

	(void)state;
	server_start(&server, "OK 1 192.0.2.1", 14);
	assert_int_equal(outbind_tag_at(server.path, TIMEOUT_MS, fd.n, "acme", got, 4), 0);
	server_stop(&server);
	assert_string_equal(got, "192");
	assert_int_equal(got[4], 1);
}

#define X63 "123456789012345678901234567890123456789012345678901234567890123"
static const struct {
	const char *what, *name;
	int want;
} names[] = {
	{ "a longest name reaches the agent", X63, -EHOSTDOWN },
	{ "too long a name", X63 "4", -EINVAL },
	{ "no name", "", -EINVAL },
	{ "a space", "a b", -EINVAL },
	{ "a colon", "a:b", -EINVAL },
	{ "a newline", "a\nb", -EINVAL },
	{ "UTF-8 reaches the agent", "\xc3\xa9", -EHOSTDOWN },
};

static void test_names(void **state)
{
	AUTO(fd_drop) struct fd fd = { .n = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int r = outbind_tag_at("/nonexistent/tag", TIMEOUT_MS, fd.n, names[i].name, NULL, 0);

		if (r != names[i].want)
			fail_msg("%s: got %d, want %d", names[i].what, r, names[i].want);
	}
	assert_int_equal(outbind_tag_at("/none/tag", TIMEOUT_MS, fd.n, NULL, NULL, 0), -EINVAL);
	assert_int_equal(outbind_tag_at("/none/tag", TIMEOUT_MS, -1, "a", NULL, 0), -EINVAL);
}

static void test_closed_fd(void **state)
{
	struct server server;
	char got[64];

	(void)state;
	server_start(&server, SILENT, 1);
	assert_int_equal(outbind_tag_at(server.path, TIMEOUT_MS, 987, "acme", got, sizeof got), -EINVAL);
	server_stop(&server);
}

static void test_directory(void **state)
{
	AUTO(fd_drop) struct fd fd = { .n = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	struct server server;
	char got[64], deep[256];

	(void)state;
	server_start(&server, "OK 1 192.0.2.1", 14);
	assert_int_equal(setenv("OUTBIND_RUNTIME_DIR", server.dir, 1), 0);
	assert_int_equal(outbind_tag(fd.n, "acme", got, sizeof got), 0);
	server_stop(&server);
	assert_int_equal(outbind_tag(fd.n, "acme", got, sizeof got), -EHOSTDOWN);
	assert_non_null(strstr(got, "the agent is not there"));
	memset(deep, '/', sizeof deep - 1);
	deep[sizeof deep - 1] = '\0';
	assert_int_equal(setenv("OUTBIND_RUNTIME_DIR", deep, 1), 0);
	assert_int_equal(outbind_tag(fd.n, "acme", got, sizeof got), -EHOSTDOWN);
	assert_int_equal(unsetenv("OUTBIND_RUNTIME_DIR"), 0);
}

/* A full queue of an agent that does not accept: connect(2) must not block for ever. */
static void test_full_queue(void **state)
{
	const int kind = SOCK_SEQPACKET | SOCK_CLOEXEC;
	AUTO(fd_drop) struct fd fd = { .n = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	AUTO(fd_drop) struct fd listener = { .n = socket(AF_UNIX, kind, 0) };
	AUTO(fd_drop) struct fd waiting = { .n = socket(AF_UNIX, kind, 0) };
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	(void)state;
	(void)snprintf(at.sun_path, sizeof at.sun_path, "/tmp/outbind-lib-%d.tag", (int)getpid());
	assert_int_equal(bind(listener.n, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(listener.n, 0), 0);
	assert_int_equal(connect(waiting.n, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(outbind_tag_at(at.sun_path, TIMEOUT_MS, fd.n, "acme", NULL, 0), -ETIMEDOUT);
	(void)unlink(at.sun_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_short_buffer),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_closed_fd),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_full_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
