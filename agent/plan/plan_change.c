/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See plan_change.h. All rows that are of one binding begin with its mark, so they stand together:
 * those are cut out of each set and what plan_emit_binding() makes of it now is put there. What
 * differs between the two are the operations.
 */
#include "plan/plan_change.h"

#include "base/mem.h"
#include "plan/plan_emit.h"
#include "plan/plan_limits.h"
#include "plan/plan_rows.h"

#include <assert.h>

struct span_of_rows { size_t first, n; };

/* The rows of @set whose key begins with @mark. */
static struct span_of_rows rows_of(const struct plan *plan, enum set_id set, struct fwmark mark)
{
	const struct rows *rows = &plan->sets[set];
	size_t len = plan_shapes[set].row_len, first, end;
	uint8_t key[4];

	put_host32(key, mark.host);
	first = end = plan_rows_place(plan, set, key, sizeof key);
	while (end < rows->n && memcmp(rows->at + end * len, key, sizeof key) == 0)
		end++;
	return (struct span_of_rows){ first, end - first };
}

static struct rows copy_rows(const struct plan *plan, enum set_id set, struct span_of_rows span)
{
	size_t len = plan_shapes[set].row_len;
	struct rows copy = { .n = span.n, .room = span.n };

	if (span.n == 0)
		return (struct rows){ 0 };
	copy.at = mem_zero(span.n, len);
	memcpy(copy.at, plan->sets[set].at + span.first * len, span.n * len);
	return copy;
}

/* The rows of one binding as they would be, sorted, in the places of ret->after. */
static void emit(struct plan *plan, const struct model *model, const struct facts *facts,
		 uint32_t binding, struct plan_change *ret)
{
	AUTO(plan_host_drop) struct plan_host host = { 0 };
	struct plan one = *plan;

	memset(one.sets, 0, sizeof one.sets);
	plan_host_open(facts, plan->mask, &host);
	plan_usable_judge(&host, model, &one, binding);
	if (model->bindings.at[binding].name)
		plan_emit_binding(&host, model, &one, binding);
	for (size_t i = 0; plan_binding_sets[i] != SETS; i++) {
		enum set_id set = plan_binding_sets[i];

		plan_rows_finish(&one, set);
		ret->after[i] = one.sets[set];
	}
}

/* Room for the binding in what is kept by binding. True if it was made now. */
static bool make_room(struct plan *plan, size_t n)
{
	size_t room = plan->n_bindings;

	if (n <= room)
		return false;
	assert(n == room + 1);
	plan->marks = mem_grow(plan->marks, &plan->room_bindings.marks, n, sizeof *plan->marks);
	plan->usability = mem_grow(plan->usability, &plan->room_bindings.usability, n,
				   sizeof *plan->usability);
	plan->suspended = mem_grow(plan->suspended, &plan->room_bindings.suspended, n,
				   sizeof *plan->suspended);
	plan->limited = mem_grow(plan->limited, &plan->room_bindings.limited, n,
				 sizeof *plan->limited);
	plan->n_bindings = n;
	plan->limited[n - 1] = false;
	plan->marks[n - 1] = (struct fwmark){ 0 };
	plan->usability[n - 1] = (struct usability){ 0 };
	plan->suspended[n - 1] = false;
	plan->limited[n - 1] = false;
	return true;
}

void plan_change(struct plan *plan, const struct model *model, const struct facts *facts,
		 uint32_t binding, uint32_t number, struct plan_change *ret)
{
	struct plan before = { 0 }, after = { 0 };

	*ret = (struct plan_change){ .binding = binding };
	ret->added = make_room(plan, model->bindings.n);
	ret->mark = plan->marks[binding];
	ret->usability = plan->usability[binding];
	ret->suspended = plan->suspended[binding];
	ret->limited = plan->limited[binding];
	plan->marks[binding].host = number << __builtin_ctz(plan->mask.host);
	plan->suspended[binding] = facts->suspended && facts->suspended[binding];
	plan->limited[binding] = plan_limits_any(&model->bindings.at[binding]);
	emit(plan, model, facts, binding, ret);
	for (size_t i = 0; plan_binding_sets[i] != SETS; i++) {
		enum set_id set = plan_binding_sets[i];
		struct span_of_rows span = rows_of(plan, set, plan->marks[binding]);

		ret->before[i] = copy_rows(plan, set, span);
		before.sets[set] = ret->before[i];
		after.sets[set] = ret->after[i];
		plan_rows_splice(plan, set, span.first, span.n, &ret->after[i]);
	}
	diff_plans(&after, &before, &ret->ops);
	if (!model->bindings.at[binding].name)
		plan->marks[binding] = (struct fwmark){ 0 };
}

void plan_change_undo(struct plan *plan, const struct plan_change *change)
{
	struct fwmark mark = plan->marks[change->binding];

	if (mark.host == 0)
		mark = change->mark;		/* it was removed */
	for (size_t i = 0; plan_binding_sets[i] != SETS; i++) {
		enum set_id set = plan_binding_sets[i];
		struct span_of_rows span = rows_of(plan, set, mark);

		plan_rows_splice(plan, set, span.first, span.n, &change->before[i]);
	}
	plan->marks[change->binding] = change->mark;
	plan->usability[change->binding] = change->usability;
	plan->suspended[change->binding] = change->suspended;
	plan->limited[change->binding] = change->limited;
	plan->n_bindings -= change->added;
}

void plan_change_drop(struct plan_change *change)
{
	ops_drop(&change->ops);
	for (size_t i = 0; i < PLAN_CHANGE_SETS; i++) {
		free(change->before[i].at);
		free(change->after[i].at);
	}
	*change = (struct plan_change){ 0 };
}
