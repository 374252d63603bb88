/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing folded files. Each is replaced by rename(2), so a crash leaves the old or the new text of
 * it. Between two files the agent's layer still holds everything, so what runs never depends on
 * how far this got.
 */
#include "fold.h"

#include "base/mem.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int sync_directory(const char *path)
{
	char *AUTO(mem_drop) directory = mem_text(path, (size_t)(strrchr(path, '/') - path) + 1);
	AUTO(fd_drop) struct fd fd = { open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };

	return fd.n < 0 || fsync(fd.n) < 0 ? -errno : 0;
}

/* Put @text at @path at once, with mode and owner of @like. *@ret_placed: it is there, and if this
 * fails all the same, it is not known to be on the disk. */
static int replace(const char *path, const struct stat *like, const char *text, size_t len,
		   bool *ret_placed)
{
	char *AUTO(mem_drop) temporary = NULL;
	AUTO(fd_drop) struct fd fd = FD_NONE;
	int r;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		abort();
	fd.n = mkostemp(temporary, O_CLOEXEC);
	if (fd.n < 0)
		return -errno;
	r = fchown(fd.n, like->st_uid, like->st_gid) < 0 ||
	    fchmod(fd.n, like->st_mode & 07777) < 0 ? -errno : 0;
	if (r == 0)
		r = write_all(fd.n, text, len);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	*ret_placed = r == 0;
	if (r < 0)
		(void)unlink(temporary);
	return r < 0 ? r : sync_directory(path);
}

/* Still what it was when it was read? */
static int check_unchanged(const struct fold_file *file)
{
	char *AUTO(mem_drop) text = NULL;
	size_t len = 0;
	int r = conf_system.read_file(conf_system.context, file->full, &text, &len);

	if (file->is_new)
		return r == -ENOENT ? 0 : -ESTALE;
	if (r < 0)
		return r;
	return len == file->len && memcmp(text, file->text, len) == 0 ? 0 : -ESTALE;
}

static int write_file(const struct fold_file *file, bool *ret_placed)
{
	struct stat like = { .st_mode = 0644, .st_uid = geteuid(), .st_gid = getegid() };
	char *AUTO(mem_drop) copy = NULL;
	int r = check_unchanged(file);
	bool copied;

	*ret_placed = false;
	if (r == 0 && !file->is_new && stat(file->full, &like) < 0)
		r = -errno;
	if (r < 0)
		return r;
	if (asprintf(&copy, "%s~", file->full) < 0)
		abort();
	if (!file->is_new)
		r = replace(copy, &like, file->text, file->len, &copied);
	return r < 0 ? r : replace(file->full, &like, file->result, file->result_len, ret_placed);
}

/* Take back what was written of files before @n. */
static void take_back(const struct ctl *ctl, const struct fold *fold, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct fold_file *file = &fold->files.at[i];
		struct stat like;
		bool placed;
		int r = 0;

		if (!file->result)
			continue;
		if (file->is_new)
			r = unlink(file->full) < 0 ? -errno : 0;
		else if (stat(file->full, &like) < 0)
			r = -errno;
		else
			r = replace(file->full, &like, file->text, file->len, &placed);
		if (r < 0)
			ctl_complain(ctl, "%s could not be put back: %s; its old text is in %s~",
				     file->path, strerror(-r), file->path);
	}
}

/* The directory of a new file, one level. */
static void make_directory(const struct fold_file *file)
{
	char *AUTO(mem_drop) directory = mem_copy(file->full);
	char *slash = strrchr(directory, '/');

	if (!file->is_new || !slash || slash == directory)
		return;
	*slash = '\0';
	(void)mkdir(directory, 0755);		/* if that fails, so does what comes next, and says so */
}

int fold_write(const struct ctl *ctl, const struct fold *fold)
{
	for (size_t i = 0; i < fold->files.n; i++) {
		const struct fold_file *file = &fold->files.at[i];
		bool placed;
		int r;

		if (!file->result)
			continue;
		make_directory(file);
		r = write_file(file, &placed);
		if (r == 0)
			continue;
		ctl_complain(ctl, "%s cannot be written: %s; nothing was changed", file->path,
			     r == -ESTALE ? "somebody changed it meanwhile" : strerror(-r));
		take_back(ctl, fold, i + placed);
		return CTL_REFUSED;
	}
	return CTL_DONE;
}
