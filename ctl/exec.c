/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl exec: run one command whose connections leave from a binding. The command runs in a
 * cgroup of its own below that of the binding (exec_place.h); a socket belongs to the cgroup of the
 * process that calls socket(2), at that moment, so sockets that are inherited keep their binding
 * and the command enters its cgroup before it starts.
 *
 * Fail closed: if the cgroup cannot be entered the command is not run.
 */
#include "exec_place.h"
#include "verbs.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT_RUN = 126, NOT_FOUND = 127, BY_SIGNAL = 128 };

enum { EXEC_UNIT_NAME };

static const int forwarded[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static int enter_cgroup(const char *path)
{
	AUTO(fd_drop) struct fd fd = FD_NONE;
	char *AUTO(mem_drop) file = NULL;

	if (asprintf(&file, "%s/cgroup.procs", path) < 0)
		abort();
	fd.n = open(file, O_WRONLY | O_CLOEXEC);
	return fd.n < 0 || write(fd.n, "0", 1) != 1 ? -errno : 0;
}

/* End the child without running what the parent has still to do; nothing it said may be lost. */
__attribute__((noreturn)) static void leave(const struct ctl *ctl, int status)
{
	(void)fflush(ctl->err);
	_exit(status);
}

/* The child: enter the cgroup, or wait until systemd has put us there; nothing runs elsewhere. */
__attribute__((noreturn)) static void run_command(const struct ctl *ctl,
						  const struct exec_place *place, int go,
						  char **command, const sigset_t *mask)
{
	char byte;
	int r = place->scope ? 0 : enter_cgroup(place->path);

	if (r < 0) {
		ctl_complain(ctl, "cannot enter the cgroup %s: %s; %s is not run", place->path,
			     strerror(-r), command[0]);
		leave(ctl, CTL_REFUSED);
	}
	if (read(go, &byte, 1) != 1)
		leave(ctl, CTL_REFUSED);		/* the parent has said why, or is gone */
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	(void)execvp(command[0], command);
	r = errno;
	ctl_complain(ctl, "cannot run %s: %s", command[0], strerror(r));
	leave(ctl, r == ENOENT ? NOT_FOUND : CANNOT_RUN);
}

/* Wait for @child and pass signals on. What the terminal sends, the whole foreground job has got
 * already (si_code is not SI_USER then): passing it on would make it two. */
static int wait_for(pid_t child, const sigset_t *signals)
{
	for (;;) {
		siginfo_t got;
		int status, n = sigwaitinfo(signals, &got);

		if (n > 0 && n != SIGCHLD && got.si_code <= 0)
			(void)kill(child, n);
		if (waitpid(child, &status, WNOHANG) != child)
			continue;
		return WIFSIGNALED(status) ? BY_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

static void block_signals(sigset_t *ret_signals, sigset_t *ret_before)
{
	(void)sigemptyset(ret_signals);
	(void)sigaddset(ret_signals, SIGCHLD);
	for (size_t i = 0; i < ARRAY_LEN(forwarded); i++)
		(void)sigaddset(ret_signals, forwarded[i]);
	(void)signal(SIGCHLD, SIG_DFL);		/* ignored, it would take the status away */
	(void)sigprocmask(SIG_BLOCK, ret_signals, ret_before);
	(void)fflush(NULL);
}

static int run_in(struct ctl *ctl, const char *binding, const struct exec_place *place,
		  char **command)
{
	AUTO(fd_drop) struct fd go_read = FD_NONE, go = FD_NONE;
	sigset_t signals, before;
	int ends[2], status, r;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		ctl_complain(ctl, "cannot make a pipe: %s", strerror(errno));
		return CTL_REFUSED;
	}
	go_read.n = ends[0];
	go.n = ends[1];
	block_signals(&signals, &before);
	child = fork();
	if (child == 0) {
		fd_drop(&go);			/* or we would wait for ourselves */
		run_command(ctl, place, go_read.n, command, &before);
	}
	if (child < 0) {
		ctl_complain(ctl, "cannot fork: %s", strerror(errno));
		return CTL_REFUSED;
	}
	fd_drop(&go_read);
	(void)signal(SIGPIPE, SIG_IGN);
	r = exec_place_enter(ctl, binding, place, child);
	if (r == CTL_DONE && write(go.n, "", 1) != 1 && errno != EPIPE)
		r = CTL_REFUSED;
	fd_drop(&go);
	status = wait_for(child, &signals);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return r == CTL_DONE ? status : r;
}

static int exec_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(exec_place_drop) struct exec_place place = { 0 };
	int r = exec_place_find(ctl, args->rest[0], args->value[EXEC_UNIT_NAME], &place);

	args->rest[args->n_rest] = NULL;	/* options before it have left words behind */
	if (r == CTL_DONE) {
		r = run_in(ctl, args->rest[0], &place, args->rest + 1);
		exec_place_leave(ctl, &place);
	}
	return r;
}

static const struct option exec_options[] = {
	[EXEC_UNIT_NAME] = { "unit-name", "NAME", "run it as the scope unit NAME.scope of systemd",
			     COMPLETE_NONE },
	{ 0 },
};

const struct verb exec_verb = {
	.name = "exec",
	.synopsis = "[--unit-name NAME] BINDING -- COMMAND [ARGUMENT...]",
	.summary = "run a command whose connections leave from a binding",
	.text = "For root. The command and all that it starts run in a cgroup of their own, which is\n"
		"removed when the command ends. SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed on to the\n"
		"command. Sockets that the command inherits keep the binding they were made with.\n"
		"With --unit-name, and where systemd runs, the cgroup is that of a scope unit, which\n"
		"systemctl shows and stops.\n",
	.options = exec_options,
	.least = 2,
	.most = (size_t)-1,
	.complete = COMPLETE_BINDING,
	.command = true,
	.run = exec_run,
};
