/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Write to NAME.new, fsync, rename over NAME, fsync the directory (rename(2) is atomic to readers,
 * and only the last step makes it outlive a power loss). Every step that fails leaves NAME as it
 * was; a NAME.new that stays behind is overwritten by the next attempt. If the last step fails the
 * new text is in place but may not survive a power loss: that is reported as a failure too, and
 * writing again is harmless.
 */
#include "daemon/state.h"

#include "base/mem.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { STATE_FILE_MAX = 256 * 1024 * 1024 };

int state_lock(const char *dir, const char *name, struct fd *ret)
{
	AUTO(fd_drop) struct fd fd = FD_NONE;
	char path[PATH_MAX];

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
		return -ENAMETOOLONG;
	fd.n = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd.n < 0)
		return -errno;
	if (flock(fd.n, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	*ret = fd_take(&fd);
	return 0;
}

int state_open(const char *dir, struct state *ret)
{
	struct state state = { .dir = dir, .lock = FD_NONE };
	int r = state_lock(dir, "lock", &state.lock);

	if (r == 0)
		*ret = state;
	return r;
}

void state_drop(struct state *state)
{
	if (state->dir)
		fd_drop(&state->lock);
	*state = (struct state){ .lock = FD_NONE };
}

static int read_all(int fd, char *text, size_t len)
{
	size_t n = 0;

	while (n < len) {
		ssize_t got = read(fd, text + n, len - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;		/* shorter than fstat(2) said */
		n += (size_t)got;
	}
	return 0;
}

void state_head(const struct state *state, const char *name, char ret[static STATE_HEAD])
{
	AUTO(fd_drop) struct fd fd = FD_NONE;
	char path[PATH_MAX];
	ssize_t n = 0;

	if (snprintf(path, sizeof path, "%s/%s", state->dir, name) < (int)sizeof path)
		fd.n = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd.n >= 0)
		n = read(fd.n, ret, STATE_HEAD - 1);
	ret[n > 0 ? n : 0] = '\0';
}

int state_read(const struct state *state, const char *name, char **ret_text, size_t *ret_len)
{
	AUTO(fd_drop) struct fd fd = FD_NONE;
	char path[PATH_MAX], *text;
	struct stat st;
	int r;

	snprintf(path, sizeof path, "%s/%s", state->dir, name);
	fd.n = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd.n < 0 && errno == ENOENT) {
		*ret_text = mem_zero(1, 1);
		*ret_len = 0;
		return 0;
	}
	if (fd.n < 0 || fstat(fd.n, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > STATE_FILE_MAX)
		return -EINVAL;
	text = mem_zero((size_t)st.st_size + 1, 1);
	r = read_all(fd.n, text, (size_t)st.st_size);
	if (r < 0) {
		free(text);
		return r;
	}
	*ret_text = text;
	*ret_len = (size_t)st.st_size;
	return 0;
}

static int before(const struct state *state, enum state_step step)
{
	return state->before ? state->before(state->context, step) : 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, text, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		text += put;
		len -= (size_t)put;
	}
	return 0;
}

static int write_new(const struct state *state, const char *path, const char *text, size_t len,
		     bool sync)
{
	AUTO(fd_drop) struct fd fd = FD_NONE;
	int r = before(state, STATE_OPEN);

	if (r < 0)
		return r;
	fd.n = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd.n < 0)
		return -errno;
	r = before(state, STATE_WRITE);
	if (r == 0)
		r = write_all(fd.n, text, len);
	if (r == 0 && sync)
		r = before(state, STATE_SYNC);
	if (r == 0 && sync && fsync(fd.n) < 0)
		r = -errno;
	return r;
}

static int sync_dir(const struct state *state)
{
	AUTO(fd_drop) struct fd fd = FD_NONE;
	int r = before(state, STATE_SYNC_DIR);

	if (r < 0)
		return r;
	fd.n = open(state->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd.n < 0 || fsync(fd.n) < 0 ? -errno : 0;
}

static int write_file(const struct state *state, const char *name, const char *text, size_t len,
		      bool sync)
{
	char path[PATH_MAX], fresh[PATH_MAX + 8];
	int r;

	snprintf(path, sizeof path, "%s/%s", state->dir, name);
	snprintf(fresh, sizeof fresh, "%s.new", path);
	r = write_new(state, fresh, text, len, sync);
	if (r == 0)
		r = before(state, STATE_RENAME);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	return r == 0 && sync ? sync_dir(state) : r;
}

int state_write(const struct state *state, const char *name, const char *text, size_t len)
{
	return write_file(state, name, text, len, true);
}

/* A second name for the file, put in the place of @last in one step. */
static int keep(const struct state *state, const char *name, const char *last)
{
	char path[PATH_MAX], kept[PATH_MAX], fresh[PATH_MAX + 8];

	snprintf(path, sizeof path, "%s/%s", state->dir, name);
	snprintf(kept, sizeof kept, "%s/%s", state->dir, last);
	snprintf(fresh, sizeof fresh, "%s.new", kept);
	if (unlink(fresh) < 0 && errno != ENOENT)
		return -errno;
	if (link(path, fresh) < 0)
		return errno == ENOENT ? 0 : -errno;
	return rename(fresh, kept) < 0 ? -errno : 0;
}

int state_replace(const struct state *state, const char *name, const char *last, const char *text,
		  size_t len)
{
	int r = keep(state, name, last);

	return r < 0 ? r : write_file(state, name, text, len, true);
}

int state_append(const struct state *state, const char *name, const char *text, size_t len)
{
	AUTO(fd_drop) struct fd fd = FD_NONE;
	char path[PATH_MAX];
	struct stat st;
	int r = before(state, STATE_OPEN);

	if (r < 0)
		return r;
	snprintf(path, sizeof path, "%s/%s", state->dir, name);
	fd.n = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (fd.n < 0 || fstat(fd.n, &st) < 0)
		return -errno;
	r = before(state, STATE_WRITE);
	if (r == 0)
		r = write_all(fd.n, text, len);
	if (r == 0)
		r = before(state, STATE_SYNC);
	if (r == 0 && fdatasync(fd.n) < 0)
		r = -errno;
	if (r < 0)
		(void)!ftruncate(fd.n, st.st_size);
	return r;
}

bool state_has(const struct state *state, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", state->dir, name);
	return lstat(path, &st) == 0;
}

void state_remove(const struct state *state, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", state->dir, name);
	(void)unlink(path);
}

int state_note(const struct state *state, const char *name, const char *text, size_t len)
{
	return write_file(state, name, text, len, false);
}
