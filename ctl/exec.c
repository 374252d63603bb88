/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl exec: run one command whose connections leave from a binding. The command runs in a
 * cgroup of its own below the one that the agent prepared; a socket belongs to the cgroup of the
 * process that calls socket(2), at that moment, so sockets that are inherited keep their binding
 * and the command enters its cgroup before it starts.
 *
 * Fail closed: if the cgroup cannot be entered the command is not run.
 */
#include "agent.h"
#include "reply.h"
#include "verbs.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { TRIES = 50, PAUSE_MS = 10, CANNOT_RUN = 126, NOT_FOUND = 127, BY_SIGNAL = 128 };

static const int forwarded[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

/* Make the cgroup of this run below @parent. */
static int make_cgroup(const struct ctl *ctl, const char *parent, char **ret_path)
{
	char *AUTO(mem_drop) path = NULL;

	if (asprintf(&path, "%s/exec-%ld", parent, (long)getpid()) < 0)
		abort();
	/* a directory of this name is left over from a process that had our id */
	if (mkdir(path, 0755) < 0 &&
	    (errno != EEXIST || rmdir(path) < 0 || mkdir(path, 0755) < 0)) {
		ctl_complain(ctl, "cannot make the cgroup %s: %s", path, strerror(errno));
		return errno == EACCES || errno == EPERM ? CTL_DENIED : CTL_REFUSED;
	}
	*ret_path = path;
	path = NULL;
	return CTL_DONE;
}

/* The last process leaves a cgroup a little after it was waited for. */
static void remove_cgroup(const struct ctl *ctl, const char *path)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000L * 1000L };

	for (int i = 0; i < TRIES; i++) {
		if (rmdir(path) == 0 || errno == ENOENT)
			return;
		if (errno != EBUSY)
			break;
		(void)nanosleep(&pause, NULL);
	}
	if (errno == EBUSY)
		ctl_complain(ctl, "%s is left in place: the command left processes running in it",
			     path);
	else
		ctl_complain(ctl, "cannot remove the cgroup %s: %s", path, strerror(errno));
}

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

/* The child. */
__attribute__((noreturn)) static void run_command(const struct ctl *ctl, const char *cgroup,
						  char **command, const sigset_t *mask)
{
	int r = enter_cgroup(cgroup);

	if (r < 0) {
		ctl_complain(ctl, "cannot enter the cgroup %s: %s; %s is not run", cgroup,
			     strerror(-r), command[0]);
		leave(ctl, CTL_REFUSED);
	}
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

static int run_in(const struct ctl *ctl, const char *cgroup, char **command)
{
	sigset_t signals, before;
	pid_t child;
	int status;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	for (size_t i = 0; i < ARRAY_LEN(forwarded); i++)
		(void)sigaddset(&signals, forwarded[i]);
	(void)signal(SIGCHLD, SIG_DFL);		/* ignored, it would take the status away */
	(void)sigprocmask(SIG_BLOCK, &signals, &before);
	(void)fflush(NULL);
	child = fork();
	if (child == 0)
		run_command(ctl, cgroup, command, &before);
	if (child < 0)
		ctl_complain(ctl, "cannot fork: %s", strerror(errno));
	status = child < 0 ? CTL_REFUSED : wait_for(child, &signals);
	remove_cgroup(ctl, cgroup);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

static int exec_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(json_drop) json_t *parameters = json_object();
	AUTO(json_drop) json_t *reply = NULL;
	char *AUTO(mem_drop) cgroup = NULL;
	int r = agent_add_text(ctl, parameters, "binding", args->rest[0]);

	if (r == CTL_DONE)
		r = agent_ask(ctl, "PrepareExec", json_incref(parameters), &reply);
	if (r == CTL_DONE)
		r = make_cgroup(ctl, reply_text(reply, "cgroup"), &cgroup);
	return r == CTL_DONE ? run_in(ctl, cgroup, args->rest + 1) : r;
}

const struct verb exec_verb = {
	.name = "exec",
	.synopsis = "BINDING -- COMMAND [ARGUMENT...]",
	.summary = "run a command whose connections leave from a binding",
	.text = "For root. The command and all that it starts run in a cgroup of their own, which is\n"
		"removed when the command ends. SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed on to the\n"
		"command. Sockets that the command inherits keep the binding they were made with.\n",
	.least = 2,
	.most = (size_t)-1,
	.complete = COMPLETE_BINDING,
	.command = true,
	.run = exec_run,
};
