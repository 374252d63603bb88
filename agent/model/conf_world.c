/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real world for conf_read(): files, glob(3), the user and group databases. This file is the
 * one place of the layer that does I/O. A configuration file is a regular file: reading a device
 * or a pipe could block or never end.
 */
#include "model/conf.h"

#include "base/mem.h"

#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* @expected: bytes, from fstat(2); the file may have another length by now. */
static int read_all(int fd, size_t expected, char **ret_text, size_t *ret_len)
{
	char *AUTO(mem_drop) text = NULL;
	size_t len = 0, room = 0;

	if (expected > CONF_FILE_MAX)
		return -EFBIG;
	text = mem_grow(text, &room, expected + 2, 1);
	for (;;) {
		ssize_t n;

		text = mem_grow(text, &room, len + 2, 1);
		n = read(fd, text + len, room - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (len > CONF_FILE_MAX)
			return -EFBIG;
		if (n == 0)
			break;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	text = NULL;
	return 0;
}

static int read_file(void *context, const char *path, char **ret_text, size_t *ret_len)
{
	AUTO(fd_drop) struct fd file = { open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) };
	struct stat status;

	(void)context;
	if (file.n < 0 || fstat(file.n, &status) < 0)
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	return read_all(file.n, (size_t)status.st_size, ret_text, ret_len);
}

static int expand(void *context, const char *pattern, char ***ret_paths)
{
	struct { char **at; size_t n, room; } paths = { 0 };
	glob_t found = { 0 };
	int r = glob(pattern, GLOB_ERR, NULL, &found);

	(void)context;
	if (r != 0 && r != GLOB_NOMATCH) {
		int error = r == GLOB_NOSPACE ? ENOMEM : errno ? errno : EIO;

		globfree(&found);
		return -error;
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		PUSH(&paths, mem_copy(found.gl_pathv[i]));
	PUSH(&paths, NULL);
	globfree(&found);
	*ret_paths = paths.at;
	return 0;
}

enum { RECORD_MAX = 16 << 20 };			/* a group may list very many members */

static int user_id(void *context, const char *name, uint32_t *ret_uid)
{
	char *AUTO(mem_drop) record = NULL;
	struct passwd user, *found = NULL;
	size_t room = 0;
	int r = ERANGE;

	(void)context;
	for (size_t want = 1024; r == ERANGE && want <= RECORD_MAX; want *= 4) {
		record = mem_grow(record, &room, want, 1);
		r = getpwnam_r(name, &user, record, room, &found);
	}
	if (r == 0 && found)
		*ret_uid = user.pw_uid;
	return r == 0 ? found ? 0 : -ESRCH : r == ENOENT ? -ESRCH : -r;
}

static int group_id(void *context, const char *name, uint32_t *ret_gid)
{
	char *AUTO(mem_drop) record = NULL;
	struct group group, *found = NULL;
	size_t room = 0;
	int r = ERANGE;

	(void)context;
	for (size_t want = 1024; r == ERANGE && want <= RECORD_MAX; want *= 4) {
		record = mem_grow(record, &room, want, 1);
		r = getgrnam_r(name, &group, record, room, &found);
	}
	if (r == 0 && found)
		*ret_gid = group.gr_gid;
	return r == 0 ? found ? 0 : -ESRCH : r == ENOENT ? -ESRCH : -r;
}

const struct conf_world conf_system = {
	.read_file = read_file,
	.expand = expand,
	.user_id = user_id,
	.group_id = group_id,
};
