/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets that follow from the others: what the data path need not ask, and conntrack zones. */
#pragma once

#include "plan/plan.h"

/* Fill SET_QUALIFIED, SET_BY_CGROUP_ASKED, SET_ASKED, SET_ZONE, SET_UNOWNED,
 * SET_ASKED_FORWARDED and SET_WHOLE; all others are there. */
void plan_gates_build(const struct model *model, const struct facts *facts, struct plan *plan);
