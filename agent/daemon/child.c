/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See child.h. */
#include "daemon/child.h"

#include "confine/confine.h"

#include <assert.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { FDS_MAX = 1 + CHILD_MORE_MAX };

static void forget(struct child *child)
{
	child->pid = 0;
	child->on_link = sd_event_source_disable_unref(child->on_link);
	child->on_end = sd_event_source_disable_unref(child->on_end);
	fd_drop(&child->link);
}

static int on_end(sd_event_source *source, const siginfo_t *how, void *context)
{
	struct child *child = context;

	(void)source;
	forget(child);
	child->ended(child->owner, how);
	return 0;
}

/* @fds become its descriptors from CONFINE_LINK on, and there are no others. */
static void set_files(posix_spawn_file_actions_t *actions, const struct fd *fds, size_t n,
		      bool speaks)
{
	posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(actions, STDIN_FILENO, STDOUT_FILENO);
	if (!speaks)
		posix_spawn_file_actions_adddup2(actions, STDIN_FILENO, STDERR_FILENO);
	for (size_t i = 0; i < n; i++)
		posix_spawn_file_actions_adddup2(actions, fds[i].n, CONFINE_LINK + (int)i);
	posix_spawn_file_actions_addclosefrom_np(actions, CONFINE_LINK + (int)n);
}

/* It ends with its link, not by signals that are meant for the agent's terminal or unit. */
static void set_signals(posix_spawnattr_t *attributes)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGHUP);
	posix_spawnattr_setsigmask(attributes, &blocked);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
}

static int spawn(const struct child_program *program, const struct fd *fds, size_t n, pid_t *ret)
{
	char *const nothing[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	set_files(&actions, fds, n, program->speaks);
	set_signals(&attributes);
	r = posix_spawn(ret, program->path, &actions, &attributes, program->arguments, nothing);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

/* dup2(2) of one descriptor must not overwrite another that is still needed, nor be onto itself,
 * which would leave close-on-exec set: so it is done with duplicates that are further up. */
static int lift(int fd, struct fd *ret)
{
	ret->n = fcntl(fd, F_DUPFD_CLOEXEC, CONFINE_LINK + FDS_MAX);
	return ret->n < 0 ? -errno : 0;
}

static int spawn_with(const struct child_program *program, int link, pid_t *ret)
{
	struct fd fds[FDS_MAX];
	size_t n = 0;
	pid_t pid;
	int r = lift(link, &fds[n++]);

	for (size_t i = 0; i < program->n_more && r == 0; i++)
		r = lift(program->more[i].n, &fds[n++]);
	if (r == 0)
		r = spawn(program, fds, n, &pid);
	while (n > 0)
		fd_drop(&fds[--n]);
	if (r == 0)
		*ret = pid;
	return r;
}

static int watch(struct child *child)
{
	int r = sd_event_add_child(child->event, &child->on_end, child->pid, WEXITED, on_end,
				   child);

	if (r >= 0)
		r = sd_event_add_io(child->event, &child->on_link, child->link.n, EPOLLIN,
				    child->hear, child->owner);
	return r < 0 ? r : 0;
}

int child_start(struct child *child, const struct child_program *program)
{
	AUTO(fd_drop) struct fd theirs = FD_NONE;
	int ends[2], r;

	assert(child->pid == 0 && program->n_more <= CHILD_MORE_MAX);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	child->link.n = ends[0];
	theirs.n = ends[1];
	r = spawn_with(program, theirs.n, &child->pid);
	if (r == 0)
		r = watch(child);
	if (r < 0) {
		child_end(child);
		fd_drop(&child->link);
	}
	return r;
}

void child_kill(const struct child *child)
{
	if (child->pid > 0)
		(void)kill(child->pid, SIGKILL);
}

void child_end(struct child *child)
{
	pid_t pid = child->pid;

	if (pid == 0)
		return;
	child_drop(child);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void child_drop(struct child *child)
{
	child_kill(child);
	forget(child);
}
