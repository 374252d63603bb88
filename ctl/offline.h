/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration read and compiled without an agent and without rights. */
#pragma once

#include "model/conf.h"
#include "plan/plan.h"

struct offline {
	struct model model;
	struct diag diag;
	struct plan plan;			/* empty unless offline_read() returned 0 */
	struct facts facts;
	uint32_t *numbers;
};

void offline_drop(struct offline *offline);

/*
 * offline_read - read the configuration at @path and build a plan from it
 * @ret: always written; its diag has every problem found; the caller drops it
 *
 * Numbers are given in order of the text, every address of a binding counts as present on this
 * host, and cgroup i of the model has the made-up id i + 1. Returns 0, or -EINVAL.
 */
MUST_CHECK int offline_read(const char *path, struct offline *ret);

/* What the id of a cgroup stands for: its path, or NULL for a unit (@context: the model). */
const char *offline_cgroup_path(void *context, uint64_t id);
