/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which cgroup is which: from unit names and paths of the policy to 64-bit cgroup ids, kept current
 * by inotify on cgroupfs. An id dies with its directory, so a unit that restarts has a new one.
 *
 * A unit is found by name where the system manager puts it: below slices only. A directory of the
 * same name that a user or a container made inside its own delegated subtree is not it.
 */
#pragma once

#include "kernel/visitor.h"
#include "plan/plan.h"

#include <stdio.h>

struct cgroups;

/*
 * cgroups_open - start watching below @root, a directory of a cgroup2 file system
 * Returns 0, -ENOTDIR or -ENOENT, -EMEDIUMTYPE (not cgroup2), or inotify's errno.
 */
MUST_CHECK int cgroups_open(const char *root, struct cgroups **ret);
void cgroups_close(struct cgroups *cgroups);		/* accepts NULL */

/*
 * From now on follow the cgroups that @model names (borrowed until the next call or close). On an
 * error (-ENOSPC: fs.inotify.max_user_watches) ids are as of now, but not all are followed; the
 * next cgroups_read() looks at everything again, and so does each one after an error.
 */
MUST_CHECK int cgroups_follow(struct cgroups *cgroups, const struct model *model);

int cgroups_fd(const struct cgroups *cgroups);		/* poll for input, then cgroups_read() */

/* Take in what happened; *ret_changed if an id that matters is another now. Queue overflow is
 * handled inside by looking at everything again. */
MUST_CHECK int cgroups_read(struct cgroups *cgroups, bool *ret_changed);

/* Write ids, formers and execs of @facts (its arrays are replaced). */
void cgroups_facts(const struct cgroups *cgroups, struct facts *facts);

/*
 * The removed cgroups that are remembered, as lines "ID PATH", oldest first; and as an earlier agent under
 * this boot wrote them, before cgroups_follow(). -EBADMSG: *@ret_line is not such a line; those before it
 * are taken. The question whether there are others than before is answered once.
 */
bool cgroups_formers_changed(struct cgroups *cgroups);
void cgroups_print_formers(const struct cgroups *cgroups, FILE *out);
MUST_CHECK int cgroups_read_formers(struct cgroups *cgroups, const char *text, size_t len,
				    unsigned *ret_line);

/* Ids of the cgroup at @path and of its ancestors below the root, deepest first, 0 ends; of one
 * more than 15 levels down those of its upper 15. */
MUST_CHECK int cgroups_chain(const struct cgroups *cgroups, const char *path,
			     uint64_t ret_ids[static 16]);

/* @path as /proc/PID/cgroup has it, below our root (malloc'd), or -errno: -EXDEV (it is not below it),
 * -ENOENT (it is of one that was removed). Whether it is there is not looked at. */
MUST_CHECK int cgroups_below(const struct cgroups *cgroups, const char *path, char **ret_path);

/*
 * cgroups_find - where @visitor is, if it is in the cgroup at @top or in one below it
 * @ret_path: below the root, malloc'd
 * Returns 0; -ENOENT: it is not there, has exited, or nothing is known of it; -E2BIG: there are too many
 * cgroups, or processes, to look at all; -EMFILE, -ENFILE.
 */
MUST_CHECK int cgroups_find(struct cgroups *cgroups, const char *top, const struct visitor *visitor,
			    char **ret_path);

/* Path below the root, "/a.slice/b.service", of a unit that the model names, or NULL if it is not
 * there now; valid until the next cgroups_read() or _follow(). */
const char *cgroups_unit_path(const struct cgroups *cgroups, const char *unit);

/* Path below the cgroup2 mount, with a slash in front, of an id that was resolved for the model or
 * an exec, or NULL; valid as long. */
const char *cgroups_path_of(const struct cgroups *cgroups, uint64_t id);

/*
 * The directory below the root whose children `outbindctl exec` runs commands in. EXEC_PARENT/NAME
 * for binding NAME (a slash in it as "\x2f", a backslash as "\x5c", a leading dot, or the one in
 * names like "memory.max", as "\x2e"); or, where systemd makes it, EXEC_SLICE/outbind-exec-NAME.slice
 * (with the escapes of systemd-escape(1)). Looked at, not made: the agent needs no right to make
 * cgroups. *@ret_path: in the file system, malloc'd, also if it is not there (*@ret_there). Its id is
 * in the next cgroups_facts() already, and reported as a change later too.
 */
#define EXEC_PARENT "outbind.exec"
#define EXEC_SLICE "outbind.slice/outbind-exec.slice"
#define EXEC_SLICE_PREFIX "outbind-exec-"
MUST_CHECK int cgroups_find_exec(struct cgroups *cgroups, const char *binding, bool slice,
				 char **ret_path, bool *ret_there);
