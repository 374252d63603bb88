/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What live connections by uplinks need (plan_keep.h), over a restart of the agent. */
#pragma once

#include "daemon/agent.h"

/* Into @fresh, which nothing has seen yet, what an earlier agent under this boot kept, if anything
 * still carries its marks. A file that cannot be read is logged, and nothing is kept. */
void ways_load(struct agent *agent, struct plan *fresh);

/* Note what the plan in force keeps, if that is something else than was noted last. */
void ways_save(struct agent *agent);
