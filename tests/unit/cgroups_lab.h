/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory of our own in a real cgroup2 file system, and one test's state, for one test program each. */
#pragma once

#include "base/mem.h"
#include "kernel/cgroups.h"

#include <ftw.h>
#include <limits.h>
#include <mntent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static char root[512]; /* "" if there is no cgroup2 to work in */
static char mount_point[256];

/* One test's state, dropped by its teardown. */
static struct cgroups *cgroups;
static struct model model;
static struct facts facts;
static pid_t child;

static inline int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)ftw;
	if (type == FTW_DP)
		(void)rmdir(path);
	return 0;
}

static inline const char *below_root(const char *path)
{
	static char full[PATH_MAX];

	snprintf(full, sizeof full, "%s/%.1000s", root, path);
	return full;
}

/* Also makes its parents. */
static inline void make(const char *path)
{
	char full[PATH_MAX];
	size_t start = strlen(root) + 1;

	snprintf(full, sizeof full, "%s", below_root(path));
	for (char *p = full + start; (p = strchr(p, '/')); p++) {
		*p = '\0';
		(void)mkdir(full, 0755);
		*p = '/';
	}
	if (mkdir(full, 0755) < 0)
		fail_msg("mkdir %s: %s", full, strerror(errno));
}

static inline void unmake(const char *path)
{
	if (rmdir(below_root(path)) < 0)
		fail_msg("rmdir %s: %s", path, strerror(errno));
}

static inline uint64_t inode(const char *path)
{
	struct stat status;

	return stat(below_root(path), &status) < 0 ? 0 : status.st_ino;
}

static inline int find_root(void **state)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *mount;

	(void)state;
	while (mounts && (mount = getmntent(mounts)) && !mount_point[0])
		if (strcmp(mount->mnt_type, "cgroup2") == 0)
			snprintf(mount_point, sizeof mount_point, "%s", mount->mnt_dir);
	if (mounts)
		endmntent(mounts);
	if (mount_point[0]) {
		snprintf(root, sizeof root, "%s/ob-unit-%d", mount_point, (int)getpid());
		if (mkdir(root, 0755) < 0)
			root[0] = '\0';
	}
	if (!root[0])
		print_message(
			"no cgroup2 file system to write in (root needed): tests are skipped\n");
	return 0;
}

static inline int remove_root(void **state)
{
	(void)state;
	if (root[0])
		(void)rmdir(root);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	if (child > 0) {
		(void)kill(child, SIGKILL);
		(void)waitpid(child, NULL, 0);
		child = 0;
	}
	cgroups_close(cgroups);
	cgroups = NULL;
	model_drop(&model);
	facts_drop(&facts);
	for (int i = 0; root[0] && i < 20; i++) { /* busy while a child is on its way out */
		struct stat status;

		(void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
		if (stat(root, &status) < 0)
			break;
		usleep(10 * 1000);
	}
	if (root[0])
		(void)mkdir(root, 0755);
	return 0;
}

#define NEED_CGROUP2()                                                                             \
	do {                                                                                       \
		if (!root[0])                                                                      \
			skip();                                                                    \
	} while (0)
