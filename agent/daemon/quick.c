/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See quick.h: doing it. Model and plan in force are changed in place and taken back if anything refuses.
 * The order of writes is that of candidate.c: number, kernel, file. What is replaced stays in the memory
 * of the generation until the next one, so after many edits one of them goes the long way.
 */
#include "daemon/quick.h"

#include "base/mem.h"
#include "daemon/apply.h"
#include "daemon/health.h"
#include "daemon/marks.h"
#include "daemon/quick_parts.h"
#include "daemon/runtime.h"
#include "daemon/seen.h"
#include "plan/plan_keep.h"

#include <string.h>

static void one_drop(struct one *one)
{
	model_drop(&one->fresh);
	plan_change_drop(&one->change);
	overlay_item_drop(&one->old_item);
}

/* Are there rows for connections that its number let out by an uplink? */
static bool keeps(const struct one *one)
{
	struct generation *now = one->agent->now;
	int shift = __builtin_ctz(now->model.mask.host);

	return plan_keeps(&now->plan, (struct fwmark){ one->number << shift });
}

/* A number, and on the disk, before the kernel hears of it. 1: none that is quickly found. */
static int number(struct one *one, struct outcome *out)
{
	struct agent *agent = one->agent;
	struct fwmark mask = agent->now->model.mask;
	int r;

	if (!one->is_new) {
		one->number = agent->now->numbers[one->slot];
		return keeps(one);
	}
	one->number = numbers_give(&agent->numbers, one->item->key, model_mask_capacity(mask),
				   &one->new_number);
	if (one->number == 0)
		return 1;
	/* A cgroup of `exec`, or connections by an uplink, may have outlived it. */
	if (!one->new_number && (agent->cgroups || keeps(one))) {
		numbers_retire(&agent->numbers, one->item->key, true);
		return 1;
	}
	r = one->new_number ? marks_append(agent->state, one->item->key, one->number, out) : 0;
	if (r < 0)
		agent->numbers.torn = true;	/* the whole file is written with the next change */
	return r;
}

/* Make room for a slot at the end in what is kept by binding; uplinks' numbers follow bindings'. */
static void make_room(struct agent *agent)
{
	struct generation *now = agent->now;
	size_t n = now->model.bindings.n, all = n + now->model.uplinks.n, room = 0;

	now->numbers = mem_grow(now->numbers, &room, all + 1, sizeof *now->numbers);
	memmove(now->numbers + n + 1, now->numbers + n, (all - n) * sizeof *now->numbers);
	room = 0;
	agent->facts.suspended = mem_grow(agent->facts.suspended, &room, n + 1,
					  sizeof *agent->facts.suspended);
	agent->facts.suspended[n] = false;
}

/* Index of the file of the overlay among those of the model. */
static uint32_t runtime_file(struct agent *agent)
{
	struct model *model = &agent->now->model;
	char name[RUNTIME_NAME];

	runtime_name(agent->state, name);
	for (uint32_t i = 0; i < model->files.n; i++)
		if (strcmp(model->files.at[i], name) == 0)
			return i;
	PUSH(&model->files, arena_text(&model->arena, name, strlen(name)));
	return (uint32_t)model->files.n - 1;
}

static void keep_old_item(struct one *one)
{
	const struct overlay_entry *entry = overlay_find(&one->agent->overlay, ITEM_BINDING,
							 one->item->key);

	if (!entry)
		return;
	one->old_item = overlay_item_copy(&entry->item);
	one->old_hides = entry->hides;
}

static void restore_item(struct one *one)
{
	struct overlay *overlay = &one->agent->overlay;

	if (one->old_item.key)
		overlay_put(overlay, overlay_item_copy(&one->old_item), one->old_hides);
	else
		(void)overlay_take(overlay, ITEM_BINDING, one->item->key);
}

/* Overlay, model, facts and plan, in memory. */
static void change(struct one *one)
{
	struct agent *agent = one->agent;
	struct model *model = &agent->now->model;

	keep_old_item(one);
	overlay_merge(&agent->overlay, one->item, !one->is_new);
	if (one->slot == model->bindings.n)
		make_room(agent);
	if (one->item->remove)
		model_edit_remove(model, one->slot, &one->edit);
	else
		model_edit_put(model, one->slot, &one->fresh, 0, runtime_file(agent),
			       overlay_line(&agent->overlay, ITEM_BINDING, one->item->key) - 1,
			       &one->edit);
	one->was_suspended = agent->facts.suspended[one->slot];
	agent->facts.suspended[one->slot] =
		!one->item->remove && overlay_find(&agent->overlay, ITEM_SUSPEND, one->item->key);
	agent->now->numbers[one->slot] = one->item->remove ? 0 : one->number;
	plan_change(&agent->now->plan, model, &agent->facts, one->slot, one->number, &one->change);
}

/* All of it; what the arrays by binding have more is not looked at. */
static void undo(struct one *one)
{
	struct agent *agent = one->agent;
	struct generation *now = agent->now;
	size_t grown = now->model.bindings.n - one->edit.n_bindings;

	plan_change_undo(&now->plan, &one->change);
	model_edit_undo(&now->model, &one->edit);
	now->numbers[one->slot] = one->is_new ? 0 : one->number;
	if (grown > 0)
		memmove(now->numbers + one->slot, now->numbers + one->slot + 1,
			now->model.uplinks.n * sizeof *now->numbers);
	else
		agent->facts.suspended[one->slot] = one->was_suspended;
	restore_item(one);
}

/* The same in the kernel: what was added goes and the other way round, deletions first. */
static void undo_kernel(struct one *one)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	AUTO(ops_drop) struct ops ops = { 0 };
	const struct ops *done = &one->change.ops;

	for (size_t i = 0; i < done->n; i++)
		if (done->at[i].verb == OP_ADD)
			PUSH(&ops, ((struct op){ OP_DELETE, done->at[i].set, done->at[i].row }));
	for (size_t i = 0; i < done->n; i++)
		if (done->at[i].verb == OP_DELETE)
			PUSH(&ops, ((struct op){ OP_ADD, done->at[i].set, done->at[i].row }));
	if (apply_in_place(one->agent, &ops, &out) < 0)
		one->agent->suspect = true;	/* the audit writes the table again */
}

static int commit(struct one *one, struct outcome *out)
{
	struct agent *agent = one->agent;
	int r = apply_in_place(agent, &one->change.ops, out);

	if (r < 0) {
		undo(one);
		return r;
	}
	r = runtime_save(agent->state, &agent->overlay, out);
	if (r == 0)
		return 0;
	undo(one);
	undo_kernel(one);
	runtime_restore(agent->state, &agent->overlay);
	return r;
}

static void finish(struct one *one, const struct things *before, struct edit_report *report)
{
	struct agent *agent = one->agent;
	AUTO(things_drop) struct things after = { 0 };
	struct items items = { (struct item *)(uintptr_t)one->item, 1, 1 };

	quick_note(one);
	if (one->item->remove)
		numbers_retire(&agent->numbers, one->item->key, true);
	agent_changed(agent);
	health_binding(agent, one->slot);
	things_some(&agent->now->model, &items, &after);
	things_compare(before, &after, &report->changes);
}

int quick_edit(struct agent *agent, const struct items *items, struct edit_report *report,
	       struct outcome *out)
{
	AUTO(one_drop) struct one one = { .agent = agent };
	AUTO(things_drop) struct things before = { 0 };
	int r;

	if (items->n != 1 || items->at[0].kind != ITEM_BINDING)
		return 0;
	one.item = &items->at[0];
	if (!quick_may_edit(&one))
		return 0;
	r = number(&one, out);
	if (r != 0)
		return r < 0 ? r : 0;
	things_some(&agent->now->model, items, &before);
	change(&one);
	r = commit(&one, out);
	if (r < 0)
		return r;
	finish(&one, &before, report);
	if (out->operations > 0 || out->replaced)
		seen_note_now(agent);
	return 1;
}
