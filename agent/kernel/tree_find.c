/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a visitor is, below a directory that is asked about: level by level, as most are near its top.
 * An id is looked for among the names of a directory (d_ino, readdir(3)), so a cgroup without others below
 * it costs one call and is not opened. A process is looked for in each cgroup.procs, a page at a time; the
 * processes of a threaded cgroup are those of a cgroup above it, and cgroup.procs cannot be read there
 * (EOPNOTSUPP), so there the thread that has the process's number is looked for.
 *
 * Limits: a directory that the agent may not read is one without entries. A process that is moved
 * meanwhile may be missed.
 */
#include "kernel/tree.h"

#include "base/mem.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The kernel writes a page in one call, some 600 processes, in the time of as many looks. */
enum { NUMBERS_BYTES = 4096, LOOKS_OF_PAGE = 32 };

struct search {
	const struct tree *tree;
	const struct visitor *visitor;
	struct { char **at; size_t n, room; } paths;	/* to look at, in order; kept to the end */
	uint32_t looks;
	char *found;
};

static void search_drop(struct search *search)
{
	for (size_t i = 0; i < search->paths.n; i++)
		free(search->paths.at[i]);
	free(search->paths.at);
	free(search->found);
}

/* One number a line, however the calls cut them; @number and @digits go on from one to the next. */
static bool has_number(const char *bytes, size_t n, int wanted, uint64_t *number, bool *digits)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] >= '0' && bytes[i] <= '9') {
			*number = *number * 10 + (uint64_t)(bytes[i] - '0');
			*digits = true;
			continue;
		}
		if (*digits && *number == (uint64_t)wanted)
			return true;
		*number = 0;
		*digits = false;
	}
	return false;
}

/* 1: it is listed in this file, 0: it is not, or -errno. */
static int is_listed(struct search *search, int directory, const char *cgroup, const char *file)
{
	char name[NAME_MAX + sizeof "/cgroup.threads"], bytes[NUMBERS_BYTES];
	AUTO(fd_drop) struct fd fd = FD_NONE;
	uint64_t number = 0;
	bool digits = false;
	ssize_t n = 1;

	(void)snprintf(name, sizeof name, "%s/%s", cgroup, file);
	fd.n = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd.n < 0 || !tree_is_inside(search->tree, &fd))
		return 0;			/* what cannot be read lists nobody */
	while (n > 0) {
		n = read(fd.n, bytes, sizeof bytes);
		if (n > 0 &&
		    has_number(bytes, (size_t)n, search->visitor->pid, &number, &digits))
			return 1;
		if (n < NUMBERS_BYTES / 2)	/* the last one, as a rule, and quick */
			continue;
		search->looks += LOOKS_OF_PAGE;
		if (search->looks > TREE_LOOKS_MAX)
			return -E2BIG;
	}
	return n < 0 && errno == EOPNOTSUPP ? -EOPNOTSUPP : 0;
}

/* Is a process in this entry of a directory? As is_listed(). */
static int has_process(struct search *search, int directory, const char *cgroup)
{
	int r = is_listed(search, directory, cgroup, "cgroup.procs");

	if (r == -EOPNOTSUPP)
		r = is_listed(search, directory, cgroup, "cgroup.threads");
	return r == -EOPNOTSUPP ? 0 : r;
}

/* Has it directories of its own, as far as can be told: a link from each of them, beside two others. */
static bool has_below(DIR *directory, const char *name)
{
	struct stat status;

	return fstatat(dirfd(directory), name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	       status.st_nlink != 2;
}

/* A cgroup's path if it has the id that is looked for; what is mounted over it has not. */
static bool has_id(const struct search *search, const char *path)
{
	uint64_t id;

	return tree_id_of(search->tree, path, &id) == 0 && id == search->visitor->cgroup;
}

static char *join(const char *path, const char *name)
{
	char *below;

	if (asprintf(&below, "%s/%s", path, name) < 0)
		abort();
	return below;
}

/* One entry of the directory at @path. 1: it is the one, 0: it is not, or -errno. */
static int look_at_entry(struct search *search, DIR *directory, const char *path,
			 const struct dirent *entry)
{
	char *AUTO(mem_drop) below = NULL;
	uint64_t id = search->visitor->cgroup;
	int r = 0;

	if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
	    strcmp(entry->d_name, "..") == 0)
		return 0;
	if (++search->looks > TREE_LOOKS_MAX)
		return -E2BIG;
	if (!id)
		r = has_process(search, dirfd(directory), entry->d_name);
	if (r == 0 && entry->d_ino != (ino_t)id && !has_below(directory, entry->d_name))
		return 0;
	below = join(path, entry->d_name);
	if (id && entry->d_ino == (ino_t)id)
		r = has_id(search, below);
	if (r == 1)
		search->found = below;
	else
		PUSH(&search->paths, below);
	below = NULL;
	return r;
}

/* What is below the cgroup at @path: as look_at_entry(). */
static int look_below(struct search *search, const char *path)
{
	AUTO(tree_close_directory) DIR *directory = NULL;
	const struct dirent *entry;
	int r = tree_open_directory(search->tree, path, &directory);

	if (r < 0)
		return r == -EMFILE || r == -ENFILE ? r : 0;
	while (r == 0 && (entry = readdir(directory)))
		r = look_at_entry(search, directory, path, entry);
	return r;
}

/* The cgroup at @top itself. */
static int look_at_top(struct search *search, const char *top)
{
	AUTO(fd_drop) struct fd fd = FD_NONE;
	int r;

	if (search->visitor->cgroup) {
		r = has_id(search, top);
	} else {
		r = tree_open(search->tree, top, &fd);
		r = r < 0 ? 0 : has_process(search, fd.n, ".");
	}
	if (r == 1)
		search->found = mem_copy(top);
	return r;
}

int tree_find(const struct tree *tree, const char *top, const struct visitor *visitor,
	      char **ret_path)
{
	AUTO(search_drop) struct search search = { .tree = tree, .visitor = visitor, .looks = 1 };
	int r;

	PUSH(&search.paths, tree_clean_path(top));
	r = look_at_top(&search, search.paths.at[0]);
	for (size_t i = 0; r == 0 && i < search.paths.n; i++)
		r = look_below(&search, search.paths.at[i]);
	if (r == 1) {
		*ret_path = search.found;
		search.found = NULL;
	}
	return r == 1 ? 0 : r < 0 ? r : -ENOENT;
}
