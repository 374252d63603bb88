/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl exec with a real cgroup2 tree, in a mount namespace of its own. Needs root. */
#include "ctl_support.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

static char mount_dir[] = "/tmp/outbind-exec-XXXXXX";
static char parent[64];				/* the cgroup that the fake agent hands out */

static int make_tree(void **state)
{
	(void)state;
	if (!mkdtemp(mount_dir) || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", mount_dir, "cgroup2", 0, NULL) < 0)
		return 0;			/* tests skip */
	(void)snprintf(parent, sizeof parent, "%s/outbind-test-%d", mount_dir, (int)getpid());
	if (mkdir(parent, 0755) < 0)
		parent[0] = '\0';
	return 0;
}

static int remove_tree(void **state)
{
	(void)state;
	if (parent[0])
		(void)rmdir(parent);
	(void)umount2(mount_dir, MNT_DETACH);
	(void)rmdir(mount_dir);
	return 0;
}

/* outbindctl exec acme -- /bin/sh -c @script, in a process of its own, its stdout into @out. A
 * script that begins with "=" is the path of a program to run instead. */
static int run_exec(const char *cgroup, const char *script, char *out, size_t room)
{
	char dashes[] = "--", name[] = "outbindctl", verb[] = "exec", acme[] = "acme", shell[] = "/bin/sh",
	     flag[] = "-c", *AUTO(mem_drop) text = strdup(script);
	char *argv[] = { name, verb, acme, dashes, shell, flag, text, NULL };
	char replies[256];
	int argc = text[0] == '=' ? 5 : 7;
	struct fake fake;
	int pipes[2], status;
	size_t got = 0;
	ssize_t n;
	pid_t child;

	argv[4] = argc == 5 ? text + 1 : shell;
	(void)snprintf(replies, sizeof replies, "{\"parameters\":{\"cgroup\":\"%s\",\"ready\":true}}\n", cgroup);
	fake_start(&fake, replies);
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		struct ctl ctl = { .out = stdout, .err = stdout, .runtime_dir = fake.dir,
				   .patience_ms = 1000 };

		(void)dup2(pipes[1], STDOUT_FILENO);
		(void)close(pipes[0]);
		(void)close(pipes[1]);
		(void)signal(SIGHUP, SIG_DFL);	/* a shell cannot trap what was ignored, as by nohup */
		status = verbs_run(&ctl, argc, argv);
		(void)fflush(stdout);
		_exit(status);
	}
	(void)close(pipes[1]);
	while (got < room - 1 && (n = read(pipes[0], out + got, room - 1 - got)) > 0)
		got += (size_t)n;
	out[got] = '\0';
	(void)close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	fake_stop(&fake);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const struct {
	const char *what, *script;
	int want;
} commands[] = {
	{ "status of the command", "exit 42", 42 },
	{ "success", "true", 0 },
	{ "ended by a signal", "kill -9 $$", 128 + 9 },
	{ "SIGTERM to outbindctl is passed on", "trap 'exit 7' TERM; kill -TERM $PPID; for i in 1 2 3 4 5 6 7 8; do sleep 0.1; done", 7 },
	{ "SIGHUP to outbindctl is passed on", "trap 'exit 8' HUP; kill -HUP $PPID; for i in 1 2 3 4 5 6 7 8; do sleep 0.1; done", 8 },
	{ "runs in its cgroup", "grep -q '/outbind-test-[0-9]*/exec-[0-9]*$' /proc/self/cgroup", 0 },
};

static void test_commands(void **state)
{
	char out[512];

	(void)state;
	if (!parent[0])
		skip();
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		int r = run_exec(parent, commands[i].script, out, sizeof out);

		if (r != commands[i].want || *out)
			fail_msg("%s: got %d '%s', want %d", commands[i].what, r, out, commands[i].want);
	}
	assert_int_equal(rmdir(parent), 0);	/* every run has removed its own */
	assert_int_equal(mkdir(parent, 0755), 0);
}

/* As a shell says it; and the cgroup is gone again. */
static void test_cannot_run(void **state)
{
	char out[512];

	(void)state;
	if (!parent[0])
		skip();
	assert_int_equal(run_exec(parent, "=/nonexistent/x", out, sizeof out), 127);
	assert_string_equal(out, "outbindctl: cannot run /nonexistent/x: No such file or directory\n");
	assert_int_equal(run_exec(parent, "=/etc", out, sizeof out), 126);
	assert_string_equal(out, "outbindctl: cannot run /etc: Permission denied\n");
	assert_int_equal(rmdir(parent), 0);
	assert_int_equal(mkdir(parent, 0755), 0);
}

/* A process that outlives the command keeps its cgroup, and its binding. */
static void test_left_behind(void **state)
{
	char out[512], path[256], *end;
	FILE *file;
	int pid = 0;

	(void)state;
	if (!parent[0])
		skip();
	assert_int_equal(run_exec(parent, "sleep 5 >/dev/null 2>&1 & echo $!", out, sizeof out), 0);
	end = strstr(out, " is left in place: the command left processes running in it\n");
	assert_non_null(end);
	*end = '\0';
	(void)snprintf(path, sizeof path, "%s/cgroup.procs", strstr(out, "/tmp"));
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &pid), 1);
	(void)fclose(file);
	assert_int_equal(kill(pid, SIGKILL), 0);
	*strrchr(path, '/') = '\0';
	for (int i = 0; i < 100 && rmdir(path) < 0; i++)
		(void)nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
	assert_int_equal(rmdir(parent), 0);
	assert_int_equal(mkdir(parent, 0755), 0);
}

/* Where there is no cgroup to enter, the command does not run: it would have another address. */
static void test_fail_closed(void **state)
{
	char dir[] = "/tmp/outbind-plain-XXXXXX", out[512];

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(run_exec(dir, "echo ran", out, sizeof out), 5);
	assert_null(strstr(out, "ran\n"));
	assert_non_null(strstr(out, "is not run\n"));
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(run_exec("/nonexistent/parent", "echo ran", out, sizeof out), 5);
	assert_null(strstr(out, "ran\n"));
	assert_non_null(strstr(out, "cannot make the cgroup"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_cannot_run),
		cmocka_unit_test(test_left_behind),
		cmocka_unit_test(test_fail_closed),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
