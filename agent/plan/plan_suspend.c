/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See plan_suspend.h. A suspended binding lacks its rows in usable4 and usable6 and nothing else,
 * so they are put in or taken out where they belong in the order, and the sum of hashes follows. The
 * groups that it is a member of pick anew.
 */
#include "plan/plan_suspend.h"

#include "base/mem.h"
#include "plan/plan_rows.h"

#include <assert.h>

/* Index of the first row of @rows that is not below @key, rows being keys alone. */
static size_t place_of(const struct rows *rows, const uint8_t *key, size_t len)
{
	size_t low = 0, high = rows->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(rows->at + middle * len, key, len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void take_out(struct plan *plan, enum set_id set, const uint8_t *key)
{
	struct rows *rows = &plan->sets[set];
	size_t len = plan_shapes[set].row_len, i = place_of(rows, key, len);

	rows->n--;
	memmove(rows->at + i * len, rows->at + (i + 1) * len, (rows->n - i) * len);
	plan->fingerprint -= plan_row_hash(set, key);
}

static void put_in(struct plan *plan, enum set_id set, const uint8_t *key)
{
	struct rows *rows = &plan->sets[set];
	size_t len = plan_shapes[set].row_len, i = place_of(rows, key, len);

	rows->at = mem_grow(rows->at, &rows->room, rows->n + 1, len);
	memmove(rows->at + (i + 1) * len, rows->at + i * len, (rows->n - i) * len);
	memcpy(rows->at + i * len, key, len);
	rows->n++;
	plan->fingerprint += plan_row_hash(set, key);
}

void suspension_drop(struct suspension *suspension)
{
	ops_drop(&suspension->ops);
	regrouping_drop(&suspension->groups);
}

/* The binding's own rows; a group has none. */
static void change_rows(struct plan *plan, uint32_t binding, bool on, struct suspension *ret)
{
	for (int f = 0; f < FAMILIES; f++) {
		enum set_id set = f == FAMILY_IPV4 ? SET_USABLE4 : SET_USABLE6;
		uint8_t *row = ret->rows[f];

		if (plan->usability[binding].reason[f] != USABLE)
			continue;
		put_host32(row, plan->marks[binding].host);
		if (on)
			take_out(plan, set, row);
		else
			put_in(plan, set, row);
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
