/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One binding suspended or resumed in a plan that is there, without building it anew. Pure. */
#pragma once

#include "plan/plan_groups.h"

struct suspension {				/* what turns the plan before into the one after */
	struct ops ops;				/* deletions first; their rows are in the two below */
	uint8_t rows[FAMILIES][KEY_MAX];	/* not to be moved */
	struct regrouping groups;
};

void suspension_drop(struct suspension *suspension);

/*
 * plan_suspend - make @plan what plan_build() gives with the facts' suspended[@binding] = @on
 * Only for a plan without stand_ins. Takes one copy of the rows of two sets at most, and as many
 * hashes as there are families, and the slots of the groups that the binding is a member of; doing it
 * the other way round afterwards takes it back. *@ret is the caller's to drop.
 */
void plan_suspend(struct plan *plan, uint32_t binding, bool on, struct suspension *ret);
