/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where `outbindctl exec` runs a command: a cgroup of its own whose connections leave from a binding. */
#pragma once

#include "ctl.h"

#include <sys/types.h>

struct exec_place {
	bool scope;				/* systemd makes it, as a scope unit */
	char *above;				/* of the binding, absolute */
	char *path;				/* the command's own, absolute */
};

void exec_place_drop(struct exec_place *place);

/*
 * exec_place_find - ask the agent where commands of @binding run
 * @unit: name for the cgroup, or of the scope, without ".scope"; NULL: named after this process
 *
 * With @unit and systemd as PID 1 it is a scope; else the cgroup is made here. Returns an enum
 * ctl_status; what failed was said.
 */
MUST_CHECK int exec_place_find(struct ctl *ctl, const char *binding, const char *unit,
			       struct exec_place *ret);

/*
 * exec_place_enter - put @child, which waits, into its place
 * Of a scope the element is in the kernel when this returns CTL_DONE, and @child is in the cgroup.
 */
MUST_CHECK int exec_place_enter(struct ctl *ctl, const char *binding,
				const struct exec_place *place, pid_t child);

/* The command has ended: remove what was made here. systemd removes a scope by itself. */
void exec_place_leave(const struct ctl *ctl, const struct exec_place *place);
