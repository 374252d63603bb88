/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process of ours: what it is started with, and how its end is heard of. The programs are the shell. */
#include "daemon/child.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <cmocka.h>

enum { PATIENCE = 10 * 1000 * 1000 };		/* usec */

struct trial {
	sd_event *event;
	struct child child;
	char heard[2048];
	int ends, code, status;
	pid_t pid;				/* that ended */
};

static int on_heard(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct trial *trial = context;
	size_t len = strlen(trial->heard);
	ssize_t n = recv(fd, trial->heard + len, sizeof trial->heard - 1 - len, MSG_DONTWAIT);

	(void)revents;
	if (n == 0)
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static void on_ended(void *owner, const siginfo_t *how)
{
	struct trial *trial = owner;

	assert_int_equal(trial->child.pid, 0);
	assert_int_equal(trial->child.link.n, -1);
	trial->ends++;
	trial->code = how->si_code;
	trial->status = how->si_status;
	trial->pid = how->si_pid;
}

static int setup(void **state)
{
	static struct trial trial;
	sigset_t of_children;

	sigemptyset(&of_children);
	sigaddset(&of_children, SIGCHLD);
	assert_int_equal(sigprocmask(SIG_BLOCK, &of_children, NULL), 0);
	trial = (struct trial){ 0 };
	assert_true(sd_event_new(&trial.event) >= 0);
	trial.child = (struct child){ .event = trial.event, .hear = on_heard, .ended = on_ended,
				      .owner = &trial, .link = FD_NONE };
	*state = &trial;
	return 0;
}

static int teardown(void **state)
{
	struct trial *trial = *state;

	child_end(&trial->child);
	sd_event_unref(trial->event);
	return 0;
}

/* Run the shell with @script. */
static void start(struct trial *trial, const char *script, const struct fd *more, size_t n)
{
	char *const arguments[] = { (char[]){ "sh" }, (char[]){ "-c" }, strdup(script), NULL };
	const struct child_program program = { .path = "/bin/sh", .arguments = arguments,
					       .more = more, .n_more = n };

	assert_int_equal(child_start(&trial->child, &program), 0);
	assert_true(trial->child.pid > 0);
	free(arguments[2]);
}

/* Until it has ended so often. */
static void run_until(struct trial *trial, int ends)
{
	while (trial->ends < ends)
		assert_true(sd_event_run(trial->event, PATIENCE) > 0);
}

static void assert_heard(const struct trial *trial, const char *want)
{
	if (!strstr(trial->heard, want))
		fail_msg("no '%s' in: %s", want, trial->heard);
}

static void test_what_it_has(void **state)
{
	struct trial *trial = *state;
	AUTO(fd_drop) struct fd one = { open("/etc/hostname", O_RDONLY | O_CLOEXEC) };
	AUTO(fd_drop) struct fd two = { open("/etc/passwd", O_RDONLY | O_CLOEXEC) };
	AUTO(fd_drop) struct fd inherited = { open("/etc/group", O_RDONLY) };	/* by mistake */
	const struct fd more[] = { two, one };

	assert_int_equal(setenv("SECRET", "of the agent", 1), 0);
	start(trial, "exec >&3; ls -l /proc/$$/fd; echo ${SECRET-none}; read line <&3; exit 3",
	      more, ARRAY_LEN(more));
	while (!strstr(trial->heard, "none\n"))
		assert_true(sd_event_run(trial->event, PATIENCE) > 0);
	assert_int_equal(shutdown(trial->child.link.n, SHUT_RDWR), 0);
	run_until(trial, 1);
	assert_heard(trial, " 0 -> /dev/null\n");
	assert_heard(trial, " 2 -> /dev/null\n");
	assert_heard(trial, " 3 -> socket:");
	assert_heard(trial, " 4 -> /etc/passwd\n");
	assert_heard(trial, " 5 -> /etc/hostname\n");
	assert_null(strstr(trial->heard, "/etc/group"));
	assert_int_equal(trial->code, CLD_EXITED);
	assert_int_equal(trial->status, 3);
}

/* Signals for the agent's terminal or unit do not reach it; that it is ended by the agent does. */
static void test_signals(void **state)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP };
	struct trial *trial = *state;
	char *const arguments[] = { (char[]){ "sleep" }, (char[]){ "60" }, NULL };
	const struct child_program program = { .path = "/bin/sleep", .arguments = arguments };

	assert_int_equal(child_start(&trial->child, &program), 0);
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		assert_int_equal(kill(trial->child.pid, ignored[i]), 0);
	child_kill(&trial->child);
	run_until(trial, 1);
	assert_int_equal(trial->code, CLD_KILLED);
	assert_int_equal(trial->status, SIGKILL);
}

static void test_ends_with_its_link(void **state)
{
	struct trial *trial = *state;
	pid_t pid;

	start(trial, "read line <&3", NULL, 0);
	assert_int_equal(shutdown(trial->child.link.n, SHUT_RDWR), 0);
	run_until(trial, 1);
	assert_int_equal(trial->code, CLD_EXITED);
	start(trial, "read line <&3", NULL, 0);		/* and another one */
	pid = trial->child.pid;
	child_kill(&trial->child);
	run_until(trial, 2);
	assert_int_equal(trial->code, CLD_KILLED);
	assert_int_equal(trial->status, SIGKILL);
	assert_int_equal(trial->pid, pid);
}

static void test_ended_is_gone(void **state)
{
	struct trial *trial = *state;
	pid_t pid;

	start(trial, "read line <&3", NULL, 0);
	pid = trial->child.pid;
	child_end(&trial->child);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(trial->child.pid, 0);
	child_end(&trial->child);
	child_kill(&trial->child);
	start(trial, "read line <&3", NULL, 0);
	pid = trial->child.pid;
	child_drop(&trial->child);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(sd_event_run(trial->event, 0) >= 0);
	assert_int_equal(trial->ends, 0);
}

static void test_no_program(void **state)
{
	struct trial *trial = *state;
	char *const arguments[] = { (char[]){ "x" }, NULL };
	const struct child_program program = { .path = "/nonexistent", .arguments = arguments };

	assert_int_equal(child_start(&trial->child, &program), -ENOENT);
	assert_int_equal(trial->child.pid, 0);
	assert_int_equal(trial->child.link.n, -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_it_has, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends_with_its_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ended_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_program, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
