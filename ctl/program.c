/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See program.h. */
#include "program.h"
#include "duration.h"

#include "base/mem.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static int64_t now_ms(void)
{
	return (int64_t)(duration_clock() / 1000);
}

static int start(char *const argv[], int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawnp(ret_pid, argv[0], &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Up to its end, to @max, or to the time; true if there is no more. */
static bool read_out(int fd, size_t max, int64_t until, char *text, size_t *ret_len)
{
	size_t len = 0;
	bool ended = false;

	while (len < max) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		int64_t left = until - now_ms();
		ssize_t n;

		if (left <= 0 || poll(&ready, 1, (int)left) == 0)
			break;
		n = read(fd, text + len, max - len);
		if (n < 0 && errno == EINTR)
			continue;
		ended = n <= 0;
		if (ended)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	*ret_len = len;
	return ended;
}

int program_read(char *const argv[], size_t max, int limit_ms, char **ret_text, bool *ret_cut)
{
	char *AUTO(mem_drop) text = mem_zero(max + 1, 1);
	int pipe_ends[2], status = 0, r;
	size_t len;
	pid_t pid;

	if (pipe2(pipe_ends, O_CLOEXEC) < 0)
		return -errno;
	r = start(argv, pipe_ends[1], &pid);
	(void)close(pipe_ends[1]);
	if (r < 0) {
		(void)close(pipe_ends[0]);
		return r;
	}
	*ret_cut = !read_out(pipe_ends[0], max, now_ms() + limit_ms, text, &len);
	(void)close(pipe_ends[0]);
	if (*ret_cut)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret_text = mem_text(text, len);
	return WIFEXITED(status) ? WEXITSTATUS(status) : *ret_cut ? 0 : 128 + WTERMSIG(status);
}
