/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cgroup2 file system below one directory: opening, ids, the names of exec cgroups. Paths here
 * are below that root and clean: "" is the root itself, "/a/b" is two levels down.
 */
#pragma once

#include "kernel/visitor.h"
#include "model/model.h"

#include <dirent.h>

struct tree {
	struct fd root;				/* O_PATH */
	uint64_t mount;				/* id of the mount that it is in */
	char *root_path;			/* resolved, absolute */
	char *mount_prefix;			/* from mount to root; "" if they are one */
};

/* @root: any directory of a cgroup2 file system. -EMEDIUMTYPE: of another one. */
MUST_CHECK int tree_init(struct tree *tree, const char *root);
void tree_drop(struct tree *tree);

/* Without double or trailing slashes; malloc'd. */
char *tree_clean_path(const char *path);

/* Is it the name of a slice; is a path nothing but slices? The root is. */
bool tree_is_slice(const char *name);
bool tree_is_slices(const char *path);

/*
 * tree_open - open a directory for looking at (O_PATH)
 * Never follows a symbolic link, leaves the root or enters another mount. -ENOENT: no such
 * directory, whatever the reason (one of these, a file, a name too long).
 */
MUST_CHECK int tree_open(const struct tree *tree, const char *path, struct fd *ret_fd);
/* Is it of the mount that the tree is of? */
bool tree_is_inside(const struct tree *tree, const struct fd *fd);
MUST_CHECK int tree_id(const struct fd *fd, uint64_t *ret_id);
MUST_CHECK int tree_id_of(const struct tree *tree, const char *path, uint64_t *ret_id);

/* The same for reading. */
MUST_CHECK int tree_open_directory(const struct tree *tree, const char *path, DIR **ret_directory);
void tree_close_directory(DIR **directory);

/* See cgroups_chain(), cgroups_below(). */
MUST_CHECK int tree_chain(const struct tree *tree, const char *path, uint64_t ret_ids[static 16]);
MUST_CHECK int tree_below(const struct tree *tree, const char *path, char **ret_path);

/*
 * tree_find - the path of the cgroup that @visitor is in, if that is at @top or below it (tree_find.c)
 * Returns 0, -ENOENT (it is not there), -EMFILE or -ENFILE; -E2BIG: not among the TREE_LOOKS_MAX cgroups
 * that were looked at, of which one with very many processes counts as several.
 */
enum { TREE_LOOKS_MAX = 1024 };
MUST_CHECK int tree_find(const struct tree *tree, const char *top, const struct visitor *visitor,
			 char **ret_path);

/* Name of the exec cgroup, or exec slice, of @binding (malloc'd), and the binding of such a name, or
 * NO_INDEX. */
char *tree_exec_name(const char *binding);
char *tree_exec_slice(const char *binding);
uint32_t tree_exec_binding(const struct model *model, const char *name);
uint32_t tree_exec_slice_binding(const struct model *model, const char *name);
