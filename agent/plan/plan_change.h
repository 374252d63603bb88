/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One binding changed in a plan that is there, without building it anew: added, removed, or with
 * other addresses. Only for a binding that no group has for a member, nobody's `unusable use` and
 * nobody's `overflow` leads to, that leads to nobody itself, and whose limits `per destination` have
 * values that are in plan->limits_to. Pure.
 */
#pragma once

#include "plan/diff.h"

enum { PLAN_CHANGE_SETS = 40 };			/* room for plan_binding_sets */

struct plan_change {
	struct ops ops;				/* from the plan before to the one after */
	uint32_t binding;
	bool added;				/* the arrays by binding got longer for it */
	struct fwmark mark;			/* before */
	struct usability usability;
	bool suspended, limited;
	struct rows before[PLAN_CHANGE_SETS], after[PLAN_CHANGE_SETS];	/* by plan_binding_sets */
};

/*
 * plan_change - make @plan what plan_build() gives for @model as it is now
 * @binding: the one that differs from what @plan was built from; its name is NULL if it was removed
 * @number:  of the binding, from 1; of the one that is gone if it was removed
 *
 * Takes one copy of the rows of the sets that differ at most, and as many hashes as it has rows.
 * The rows of ret->ops live until plan_change_drop().
 */
void plan_change(struct plan *plan, const struct model *model, const struct facts *facts,
		 uint32_t binding, uint32_t number, struct plan_change *ret);

/* Take it back. */
void plan_change_undo(struct plan *plan, const struct plan_change *change);
void plan_change_drop(struct plan_change *change);
