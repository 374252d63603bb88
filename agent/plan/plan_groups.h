/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Groups in a plan: which of the SHARE_SLOTS slots of a group leads to which member, by family.
 * Only members that are usable and not suspended have slots. Taking turns or at random, the slots
 * are dealt anew among those; a sticky choice keeps the slots of share.h, and only those of a member
 * that is not usable now go to others.
 */
#pragma once

#include "plan/diff.h"

/* Judge the groups of @model, whose bindings have been judged, and append all their rows. */
void plan_groups_build(const struct model *model, const struct facts *facts, struct plan *plan);
void plan_groups_drop(struct plan *plan);

/* Index into plan->groups of the group that is binding @binding, or NO_INDEX. */
uint32_t plan_groups_find(const struct plan *plan, uint32_t binding);

/* Index into plan->memberships of the first one of @member; they end where member is another. */
size_t plan_groups_of(const struct plan *plan, uint32_t member);

/* The map that holds the picks of a group. */
enum set_id plan_groups_set(enum pick pick, enum family family);

struct regrouping {				/* what turns a plan before into the one after */
	struct ops ops;				/* deletions first; rows are in @rows */
	uint8_t *rows;
	size_t n_rows;
};

void regrouping_drop(struct regrouping *regrouping);

/*
 * plan_groups_again - pick anew for the groups that @binding is, or is a member of
 * To be called on a finished plan after plan->suspended[@binding] was changed; appends to *ret.
 */
void plan_groups_again(struct plan *plan, uint32_t binding, struct regrouping *ret);
