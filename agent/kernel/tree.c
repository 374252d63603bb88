/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tree.h. Works on hybrid hosts (cgroup2 at /sys/fs/cgroup/unified) as on pure ones, and below
 * a subdirectory of the mount. An id is what `socket cgroupv2` compares: the 64-bit number of the
 * kernfs node, which name_to_handle_at(2) gives; the inode number is the same where ino_t has 64
 * bits (kernfs_id in include/linux/kernfs.h).
 */
#include "kernel/tree.h"

#include "base/mem.h"
#include "kernel/cgroups.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { CHAIN_MAX = 15 };			/* and a 0 */

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* Length of the mount point in @path: the parent of which is another file system. */
static size_t mount_len(const char *path)
{
	char *AUTO(mem_drop) at = mem_copy(path);
	size_t len = strlen(at);
	char *slash;

	while ((slash = strrchr(at, '/')) && slash != at) {
		*slash = '\0';
		if (!is_cgroup2(at))
			return len;
		len = strlen(at);
	}
	return len;
}

int tree_init(struct tree *tree, const char *root)
{
	char *path = realpath(root, NULL);
	struct statx status;
	struct fd fd;
	size_t len;

	*tree = (struct tree){ .root = FD_NONE, .root_path = path };
	if (!path)
		return -errno;
	fd.n = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd.n < 0)
		return -errno;
	tree->root = fd;
	if (!is_cgroup2(path))
		return -EMEDIUMTYPE;
	if (statx(fd.n, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) < 0)
		return -errno;
	tree->mount = status.stx_mnt_id;
	len = mount_len(path);
	tree->mount_prefix = mem_copy(path + len);
	return 0;
}

void tree_drop(struct tree *tree)
{
	fd_drop(&tree->root);
	free(tree->root_path);
	free(tree->mount_prefix);
	*tree = (struct tree){ .root = FD_NONE };
}

char *tree_clean_path(const char *path)
{
	char *clean = mem_zero(strlen(path) + 2, 1), *out = clean;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len) {
			*out++ = '/';
			memcpy(out, path, len);
			out += len;
		}
		path += len + (path[len] == '/');
	}
	return clean;
}

bool tree_is_slice(const char *name)
{
	size_t len = strlen(name);

	return len > strlen(".slice") && strcmp(name + len - strlen(".slice"), ".slice") == 0;
}

bool tree_is_slices(const char *path)
{
	const char *at = path, *dot;

	while (*at) {
		size_t len = 1 + strcspn(at + 1, "/");

		dot = at + len - strlen(".slice");
		if (len <= 1 + strlen(".slice") || strncmp(dot, ".slice", strlen(".slice")) != 0)
			return false;
		at += len;
	}
	return true;
}

bool tree_is_inside(const struct tree *tree, const struct fd *fd)
{
	struct statx status;

	return statx(fd->n, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) == 0 &&
	       status.stx_mnt_id == tree->mount;
}

static int open_error(void)
{
	/* ENODEV: being removed, as kernfs puts it. ELOOP, with O_PATH ENOTDIR: a symbolic link. */
	if (errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG || errno == ENODEV)
		return -ENOENT;
	return -errno;
}

/*
 * One directory after the other: openat2(2) would do it in one call, but a seccomp filter cannot look
 * at its flags, so RestrictSUIDSGID= of systemd.exec(5) takes it away.
 */
static int open_with(const struct tree *tree, const char *path, int flags, struct fd *ret_fd)
{
	AUTO(fd_drop) struct fd last = FD_NONE, at = FD_NONE;
	char name[NAME_MAX + 1];

	at.n = openat(tree->root.n, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (at.n >= 0 && *path) {
		size_t len = strcspn(++path, "/");
		struct fd next;

		if (len > NAME_MAX || (len == 2 && strncmp(path, "..", 2) == 0))
			return -ENOENT;		/* nothing is looked up above the root */
		memcpy(name, path, len);
		name[len] = '\0';
		path += len;
		next.n = openat(at.n, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next.n < 0)
			return open_error();
		fd_drop(&at);
		at = next;
	}
	if (at.n < 0)
		return open_error();
	if (!tree_is_inside(tree, &at))
		return -ENOENT;
	if (flags & O_PATH) {
		*ret_fd = fd_take(&at);
		return 0;
	}
	last.n = openat(at.n, ".", flags | O_DIRECTORY | O_CLOEXEC);
	if (last.n < 0)
		return open_error();
	*ret_fd = fd_take(&last);
	return 0;
}

int tree_open(const struct tree *tree, const char *path, struct fd *ret_fd)
{
	return open_with(tree, path, O_PATH, ret_fd);
}

int tree_id(const struct fd *fd, uint64_t *ret_id)
{
	union {
		struct file_handle id;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} is = { .id = { .handle_bytes = MAX_HANDLE_SZ } };
	struct stat status;
	int mount;

	if (name_to_handle_at(fd->n, "", &is.id, &mount, AT_EMPTY_PATH) == 0 &&
	    is.id.handle_bytes == sizeof *ret_id) {
		memcpy(ret_id, is.room + offsetof(struct file_handle, f_handle), sizeof *ret_id);
		return 0;
	}
	if (fstat(fd->n, &status) < 0)
		return -errno;
	*ret_id = status.st_ino;
	return 0;
}

int tree_id_of(const struct tree *tree, const char *path, uint64_t *ret_id)
{
	AUTO(fd_drop) struct fd fd = FD_NONE;
	int r = tree_open(tree, path, &fd);

	return r < 0 ? r : tree_id(&fd, ret_id);
}

int tree_open_directory(const struct tree *tree, const char *path, DIR **ret_directory)
{
	AUTO(fd_drop) struct fd fd = FD_NONE;
	int r = open_with(tree, path, O_RDONLY, &fd);
	DIR *directory;

	if (r < 0)
		return r;
	directory = fdopendir(fd.n);
	if (!directory)
		return -errno;
	fd = FD_NONE;				/* closedir(3) closes it */
	*ret_directory = directory;
	return 0;
}

void tree_close_directory(DIR **directory)
{
	if (*directory)
		(void)closedir(*directory);
	*directory = NULL;
}

int tree_chain(const struct tree *tree, const char *path, uint64_t ret_ids[static 16])
{
	char *AUTO(mem_drop) at = mem_copy(path);
	size_t depth = 0, n = 0;
	uint64_t ids[CHAIN_MAX + 1] = { 0 };
	char *slash;

	for (const char *p = at; *p; p++)
		depth += *p == '/';
	while ((slash = strrchr(at, '/'))) {
		uint64_t id;
		int r = tree_id_of(tree, at, &id);

		if (r < 0)
			return r;
		/* Levels too deep for the answer are too deep for our rules as well. */
		if (depth-- <= CHAIN_MAX)
			ids[n++] = id;
		*slash = '\0';
	}
	memcpy(ret_ids, ids, sizeof ids);
	return 0;
}

int tree_below(const struct tree *tree, const char *path, char **ret_path)
{
	static const char deleted[] = " (deleted)";
	size_t prefix = strlen(tree->mount_prefix), len = strlen(path);

	if (len >= sizeof deleted && strcmp(path + len - (sizeof deleted - 1), deleted) == 0)
		return -ENOENT;
	/* "/../x" is outside our cgroup namespace, and anything else may be outside our root. */
	if (path[0] != '/' || strncmp(path, "/..", 3) == 0 ||
	    strncmp(path, tree->mount_prefix, prefix) != 0 ||
	    (path[prefix] != '/' && path[prefix] != '\0'))
		return -EXDEV;
	path += prefix;
	*ret_path = *path ? mem_copy(path) : mem_text("/", 1);
	return 0;
}

/* "memory.max" and the like are the names of files in a cgroup, and cannot be a directory's. */
static bool is_like_file(const char *name)
{
	static const char *const owners[] = {
		"cgroup", "cpu",    "cpuset", "debug",	 "dmem",       "hugetlb", "io",
		"irq",	  "memory", "misc",   "net_cls", "perf_event", "pids",	  "rdma",
	};

	for (size_t i = 0; i < ARRAY_LEN(owners); i++)
		if (strncmp(name, owners[i], strlen(owners[i])) == 0 &&
		    name[strlen(owners[i])] == '.')
			return true;
	return false;
}

/* A backslash is escaped too, or "a/b" and "a\x2fb" would share a cgroup. */
char *tree_exec_name(const char *binding)
{
	char *name = mem_zero(strlen(binding) * 4 + 1, 1), *out = name;
	bool escape_dot = binding[0] == '.' || is_like_file(binding);

	for (const char *in = binding; *in; in++) {
		if (*in == '/' || *in == '\\' || (*in == '.' && escape_dot)) {
			out += sprintf(out, "\\x%02x", (unsigned)(unsigned char)*in);
			escape_dot = escape_dot && *in != '.';
		} else {
			*out++ = *in;
		}
	}
	return name;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* systemd.unit(5): a hyphen in the name of a slice parts it from its parent. */
char *tree_exec_slice(const char *binding)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_:";
	size_t room = strlen(EXEC_SLICE_PREFIX) + strlen(binding) * 4 + strlen(".slice") + 1;
	char *name = mem_zero(room, 1), *out = name + sprintf(name, "%s", EXEC_SLICE_PREFIX);

	for (const char *in = binding; *in; in++)
		if (strchr(plain, *in) || (*in == '.' && in > binding))
			*out++ = *in;
		else
			out += sprintf(out, "\\x%02x", (unsigned)(unsigned char)*in);
	strcpy(out, ".slice");
	return name;
}

static uint32_t find_escaped(const struct model *model, const char *name, size_t len)
{
	const char *end = name + len;
	char text[NAME_MAX + 1];
	size_t n = 0;

	while (name < end && n < sizeof text - 1) {
		bool is_escape = name[0] == '\\' && name[1] == 'x' && hex_digit(name[2]) >= 0 &&
				 hex_digit(name[3]) >= 0;

		if (is_escape)
			text[n++] = (char)(hex_digit(name[2]) * 16 + hex_digit(name[3]));
		else
			text[n++] = *name;
		name += is_escape ? 4 : 1;
	}
	text[n] = '\0';
	return model_find(model, text);
}

uint32_t tree_exec_binding(const struct model *model, const char *name)
{
	return find_escaped(model, name, strlen(name));
}

uint32_t tree_exec_slice_binding(const struct model *model, const char *name)
{
	size_t prefix = strlen(EXEC_SLICE_PREFIX), len = strlen(name);

	if (!tree_is_slice(name) || len <= prefix + strlen(".slice") ||
	    strncmp(name, EXEC_SLICE_PREFIX, prefix) != 0)
		return NO_INDEX;
	return find_escaped(model, name + prefix, len - prefix - strlen(".slice"));
}
