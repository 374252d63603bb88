/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See plan_suspend.h. A suspended binding lacks its rows in usable4 and usable6 (with limits in
 * limited4 and limited6) and nothing else, so they are put in or taken out where they belong in the
 * order, and the sum of hashes follows. The groups that it is a member of pick anew.
 */
#include "plan/plan_suspend.h"

#include "base/mem.h"
#include "plan/plan_rows.h"

#include <assert.h>

void suspension_drop(struct suspension *suspension)
{
	ops_drop(&suspension->ops);
	regrouping_drop(&suspension->groups);
}

/* The binding's own rows; a group has none. */
static void change_rows(struct plan *plan, uint32_t binding, bool on, struct suspension *ret)
{
	for (int f = 0; f < FAMILIES; f++) {
		enum set_id set = plan_usable_set(plan, binding, (enum family)f);
		uint8_t *row = ret->rows[f];

		if (plan->usability[binding].reason[f] != USABLE)
			continue;
		put_host32(row, plan->marks[binding].host);
		if (on)
			plan_rows_take_out(plan, set, row);
		else
			plan_rows_put_in(plan, set, row);
		PUSH(&ret->ops, ((struct op){ on ? OP_DELETE : OP_ADD, set, row }));
	}
}

void plan_suspend(struct plan *plan, uint32_t binding, bool on, struct suspension *ret)
{
	assert(!plan->stand_ins);
	*ret = (struct suspension){ 0 };
	if (plan->suspended[binding] == on || binding == plan->default_suspended)
		return;
	plan->suspended[binding] = on;
	if (on && plan_groups_find(plan, binding) == NO_INDEX)
		change_rows(plan, binding, on, ret);
	plan_groups_again(plan, binding, &ret->groups);
	for (size_t i = 0; i < ret->groups.ops.n; i++)
		PUSH(&ret->ops, ret->groups.ops.at[i]);
	if (!on && plan_groups_find(plan, binding) == NO_INDEX)
		change_rows(plan, binding, on, ret);
}
