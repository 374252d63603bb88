/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's lock-in, entered by a child that then tries: what it needs works, all else ends it at once. */
#include "gate/gate_sandbox.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdbool.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

enum { WORKED = 0, NOT_ENTERED = 77, FAILED_SOFTLY = 78 };

struct place { int link, other, events; };	/* two sockets, of which one may be written to */

static int work(const struct place *at)
{
	struct epoll_event event = { .events = EPOLLIN };
	char byte, *large = mem_zero(1, 1024 * 1024);

	free(large);
	for (size_t i = 0; i < 1000; i++)
		free(mem_zero(i, 100));
	if (send(at->link, "x", 1, 0) != 1 ||
	    epoll_ctl(at->events, EPOLL_CTL_ADD, at->other, &event) < 0)
		return FAILED_SOFTLY;
	if (recv(at->other, &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
		return FAILED_SOFTLY;
	return epoll_wait(at->events, &event, 1, 0) == 0 && close(at->other) == 0
		? WORKED : FAILED_SOFTLY;
}

static int try_open(const struct place *at)
{
	(void)at;
	return open("/etc/passwd", O_RDONLY) < 0 ? FAILED_SOFTLY : WORKED;
}

static int try_create(const struct place *at)
{
	(void)at;
	return open("gate_sandbox_test.out", O_WRONLY | O_CREAT, 0600) < 0 ? FAILED_SOFTLY : WORKED;
}

static int try_netlink(const struct place *at)
{
	(void)at;
	return socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER) < 0 ? FAILED_SOFTLY : WORKED;
}

static int try_inet(const struct place *at)
{
	(void)at;
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? FAILED_SOFTLY : WORKED;
}

static int try_pair(const struct place *at)
{
	int ends[2];

	(void)at;
	return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 ? FAILED_SOFTLY : WORKED;
}

static int try_mark(const struct place *at)
{
	int mark = 1;

	return setsockopt(at->other, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0
		? FAILED_SOFTLY : WORKED;
}

static int try_fork(const struct place *at)
{
	(void)at;
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0 ? FAILED_SOFTLY : WORKED;
}

static int try_execute(const struct place *at)
{
	char *const nothing[] = { NULL };

	(void)at;
	execve("/bin/true", nothing, nothing);
	return FAILED_SOFTLY;
}

static int try_trace(const struct place *at)
{
	(void)at;
	return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) < 0 ? FAILED_SOFTLY : WORKED;
}

static int try_kill(const struct place *at)
{
	(void)at;
	return kill(getppid(), 0) < 0 ? FAILED_SOFTLY : WORKED;
}

static int try_write_elsewhere(const struct place *at)
{
	return send(at->other, "x", 1, 0) < 0 ? FAILED_SOFTLY : WORKED;
}

/* A call that could take descriptors along, even to the agent. */
static int try_pass(const struct place *at)
{
	struct iovec part = { (char[]){ "x" }, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	return sendmsg(at->link, &message, 0) < 0 ? FAILED_SOFTLY : WORKED;
}

static int try_code(const struct place *at)
{
	(void)at;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED ? FAILED_SOFTLY : WORKED;
}

static int try_map_file(const struct place *at)
{
	return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, at->other, 0) == MAP_FAILED
		? FAILED_SOFTLY : WORKED;
}

static int try_uring(const struct place *at)
{
	char parameters[256] = "";

	(void)at;
	return syscall(SYS_io_uring_setup, 1, parameters) < 0 ? FAILED_SOFTLY : WORKED;
}

static int try_namespace(const struct place *at)
{
	(void)at;
	return syscall(SYS_unshare, 0) < 0 ? FAILED_SOFTLY : WORKED;
}

static const struct {
	const char *what;
	int (*try)(const struct place *at);
	bool may;
} tries[] = {
	{ "receive, wait, memory, speak to the agent", work, true },
	{ "open a file", try_open, false }, { "make a file", try_create, false },
	{ "netlink", try_netlink, false }, { "a socket", try_inet, false },
	{ "a pair of sockets", try_pair, false }, { "mark a socket", try_mark, false },
	{ "fork", try_fork, false }, { "execute", try_execute, false }, { "trace", try_trace, false },
	{ "a signal", try_kill, false }, { "write to a peer", try_write_elsewhere, false },
	{ "pass a descriptor", try_pass, false }, { "memory that is code", try_code, false },
	{ "map a file", try_map_file, false }, { "io_uring", try_uring, false },
	{ "another namespace", try_namespace, false },
};

static int in_child(int (*try)(const struct place *at))
{
	struct place at;
	int link[2], other[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, link) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, other) < 0)
		return NOT_ENTERED;
	at = (struct place){ link[0], other[0], epoll_create1(0) };
	return gate_sandbox_enter(at.link, at.events, 64) != 0 ? NOT_ENTERED : try(&at);
}

static void test_tries(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(in_child(tries[i].try));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (tries[i].may ? status != 0 : !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: status %x", tries[i].what, (unsigned)status);
	}
}

/* What the kernel says of a process that is locked in. */
static void test_what_is_left(void **state)
{
	static const char *const want[] = { "CapInh:\t0000000000000000", "CapPrm:\t0000000000000000",
					    "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000",
					    "NoNewPrivs:\t1", "Seccomp:\t2" };
	int link[2], ready[2];
	char path[64], text[8192] = "";
	FILE *file;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, link), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ready), 0);
	pid = fork();
	if (pid == 0) {
		if (gate_sandbox_enter(link[0], epoll_create1(0), 64) != 0)
			_exit(NOT_ENTERED);
		(void)!send(link[0], "x", 1, 0);
		(void)!recv(ready[0], text, 1, 0);
		_exit(0);
	}
	assert_int_equal(recv(link[1], text, 1, 0), 1);
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	assert_int_equal(send(ready[1], "x", 1, 0), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		if (!strstr(text, want[i]))
			fail_msg("no '%s' in %s", want[i], text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tries), cmocka_unit_test(test_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
