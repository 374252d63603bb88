/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sender described by a running process, which outbindctl may look at and the agent may not. */
#pragma once

#include "ctl.h"

#include <jansson.h>

/*
 * subject_add - what process @pid is, as parameters of Explain and Capture
 * @user, @group: which of these two to add too, beside process_cgroup
 *
 * CTL_DONE; or, after it was complained of, CTL_REFUSED (there is none), CTL_DENIED (/proc hides it) or
 * CTL_USAGE (its cgroup has no name that can be said).
 */
MUST_CHECK int subject_add(struct ctl *ctl, json_t *parameters, long long pid, bool user,
			   bool group);
