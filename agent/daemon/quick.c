/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See quick.h. Model and plan in force are changed in place and taken back if anything refuses. The
 * order of writes is that of candidate.c: number, kernel, file. What is replaced stays in the memory
 * of the generation until the next one, so after many edits one of them goes the long way.
 */
#include "daemon/quick.h"

#include "base/mem.h"
#include "daemon/apply.h"
#include "daemon/health.h"
#include "daemon/marks.h"
#include "daemon/runtime.h"
#include "daemon/seen.h"
#include "model/model_edit.h"
#include "plan/plan_change.h"
#include "plan/plan_keep.h"

#include <string.h>

enum { FEW = 64, WASTE_MIN = 4096 };

enum role { ROLE_RULE = 1 << 0, ROLE_OTHER = 1 << 1 };	/* who leads to a binding */

struct quick {					/* of a generation, made when first asked for */
	uint8_t *roles;				/* by binding, as it was then; others have none */
	size_t n_roles;
	struct index addresses;			/* of model->addresses, by ip; also of those that went */
	struct { uint32_t *at; size_t n, room; } empty;	/* slots */
	bool routed;				/* some address is a prefix */
	size_t waste, waste_max;		/* addresses that went */
};

struct one {					/* one edit */
	struct agent *agent;
	const struct item *item;
	struct model fresh;			/* the binding alone; none if it is removed */
	uint32_t slot, number;
	bool is_new, new_number;
	struct model_edit edit;
	struct plan_change change;
	struct item old_item;			/* of the overlay; key NULL: there was none */
	bool old_hides;
	bool was_suspended;
};

void quick_free(struct quick *quick)
{
	if (!quick)
		return;
	free(quick->roles);
	index_drop(&quick->addresses);
	free(quick->empty.at);
	free(quick);
}

static void one_drop(struct one *one)
{
	model_drop(&one->fresh);
	plan_change_drop(&one->change);
	overlay_item_drop(&one->old_item);
}

static void give_role(struct quick *quick, uint32_t binding, enum role role)
{
	if (binding < quick->n_roles)
		quick->roles[binding] |= (uint8_t)role;
}

/* The relay's rules name bindings by text; those of this generation all exist. */
static void find_relay_roles(const struct model *model, struct quick *quick)
{
	const struct relay *relay = &model->relay;

	for (size_t i = 0; i < relay->rules.n; i++)
		if (relay->rules.at[i].binding)
			give_role(quick, model_find(model, relay->rules.at[i].binding), ROLE_RULE);
	for (size_t i = 0; i < relay->hops.n; i++)
		give_role(quick, model_find(model, relay->hops.at[i].binding), ROLE_RULE);
}

static void find_roles(const struct model *model, struct quick *quick)
{
	for (size_t i = 0; i < model->rules.n; i++)
		if (model->rules.at[i].action == ACTION_USE)
			give_role(quick, model->rules.at[i].binding, ROLE_RULE);
	find_relay_roles(model, quick);
	for (size_t i = 0; i < model->bindings.n; i++) {
		const struct binding *binding = &model->bindings.at[i];

		if (binding->unusable == UNUSABLE_USE)
			give_role(quick, binding->unusable_use, ROLE_OTHER);
		give_role(quick, binding->overflow, ROLE_OTHER);
		if (binding->warmup)
			give_role(quick, binding->warmup->overflow, ROLE_OTHER);
		for (uint32_t m = 0; binding->group && m < binding->group->n_members; m++)
			give_role(quick, binding->group->members[m].binding, ROLE_OTHER);
	}
}

static uint32_t hash_of(const struct ip *ip)
{
	return index_hash(ip->octet, ip->len);
}

static void index_addresses(const struct model *model, struct quick *quick)
{
	for (size_t i = 0; i < model->addresses.n; i++) {
		index_add(&quick->addresses, hash_of(&model->addresses.at[i].ip), (uint32_t)i);
		quick->routed |= model->addresses.at[i].routed;
	}
}

static struct quick *quick_of(struct generation *generation)
{
	const struct model *model = &generation->model;
	struct quick *quick = generation->quick;

	if (quick)
		return quick;
	quick = generation->quick = mem_zero(1, sizeof *quick);
	quick->n_roles = model->bindings.n;
	quick->roles = mem_zero(quick->n_roles, sizeof *quick->roles);
	quick->waste_max = WASTE_MIN + model->addresses.n / 2;
	find_roles(model, quick);
	index_addresses(model, quick);
	for (uint32_t i = 0; i < model->bindings.n; i++)
		if (!model->bindings.at[i].name)
			PUSH(&quick->empty, i);
	return quick;
}

static bool is_plain(const struct binding *binding)
{
	return !binding->group && !binding->sender && !binding->limits && !binding->warmup &&
	       !binding->probe && !binding->interface && !binding->implied &&
	       binding->uplink == NO_INDEX && binding->overflow == NO_INDEX &&
	       binding->unusable == UNUSABLE_REJECT && binding->n_addresses > 0;
}

/* Does another binding have @ip now? */
static bool is_taken(const struct model *model, const struct quick *quick, const struct ip *ip,
		     uint32_t slot)
{
	uint32_t found;

	for (size_t step = 0;
	     (found = index_next(&quick->addresses, hash_of(ip), &step)) != NO_INDEX;) {
		const struct address *address;
		const struct binding *binding;

		if (found >= model->addresses.n)
			continue;		/* of an edit that was taken back */
		address = &model->addresses.at[found];
		binding = &model->bindings.at[address->binding];
		if (ip_equal(&address->ip, ip) && address->binding != slot && binding->name &&
		    found >= binding->first_address &&
		    found < binding->first_address + binding->n_addresses)
			return true;
	}
	return false;
}

/* Is the world of the kind that one binding alone can be changed in? */
static bool may_try(const struct agent *agent, const struct quick *quick)
{
	const struct facts *facts = &agent->facts;

	return !quick->routed && facts->n_execs == 0 && facts->local.n <= FEW &&
	       facts->fwmark_rules.n <= FEW && quick->waste < quick->waste_max && !agent->stale &&
	       !agent->suspect && !agent->numbers.torn;
}

/* How many bindings there are, as far as it matters. */
static bool others_left(const struct model *model, uint32_t slot)
{
	for (uint32_t i = 0; i < model->bindings.n; i++)
		if (i != slot && model->bindings.at[i].name)
			return true;
	return false;
}

static bool may_remove(const struct one *one, const struct quick *quick)
{
	const struct model *model = &one->agent->now->model;

	return !one->is_new && (one->slot >= quick->n_roles || quick->roles[one->slot] == 0) &&
	       others_left(model, one->slot);
}

/* The statement alone, read as in the file of the overlay. */
static bool read_one(struct one *one)
{
	AUTO(diag_drop) struct diag diag = { 0 };
	struct conf_layer layer = { "", one->item->text, strlen(one->item->text) };

	return conf_read_layers(NULL, texts_world(one->agent->texts), &layer, 1, &one->fresh,
				&diag) == 0 && diag.n == 0 && one->fresh.bindings.n == 1 &&
	       is_plain(&one->fresh.bindings.at[0]);
}

static bool may_put(struct one *one, const struct quick *quick)
{
	const struct model *model = &one->agent->now->model;

	if (!read_one(one) || !others_left(model, one->slot))
		return false;
	for (size_t i = 0; i < one->fresh.addresses.n; i++) {
		const struct address *address = &one->fresh.addresses.at[i];

		if (address->routed || is_taken(model, quick, &address->ip, one->slot))
			return false;
	}
	return true;
}

/* Find the slot, and whether the edit is of the kind that is done here. */
static bool may_edit(struct one *one)
{
	struct agent *agent = one->agent;
	struct generation *now = agent->now;
	struct quick *quick = quick_of(now);

	if (!may_try(agent, quick) || strcmp(one->item->key, DEFAULT_BINDING) == 0)
		return false;
	one->slot = model_find(&now->model, one->item->key);
	one->is_new = one->slot == NO_INDEX;
	if (!one->is_new && (!is_plain(&now->model.bindings.at[one->slot]) ||
			     (one->slot < quick->n_roles &&
			      quick->roles[one->slot] & ROLE_OTHER)))
		return false;
	if (one->is_new)
		one->slot = quick->empty.n > 0 ? quick->empty.at[quick->empty.n - 1]
					       : (uint32_t)now->model.bindings.n;
	return one->item->remove ? may_remove(one, quick) : may_put(one, quick);
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

/* What later edits of this generation must know of this one. */
static void note(struct one *one)
{
	struct generation *now = one->agent->now;
	struct quick *quick = now->quick;

	for (size_t i = one->edit.n_addresses; i < now->model.addresses.n; i++)
		index_add(&quick->addresses, hash_of(&now->model.addresses.at[i].ip), (uint32_t)i);
	quick->waste += one->edit.before.n_addresses;
	if (one->is_new && quick->empty.n > 0 &&
	    quick->empty.at[quick->empty.n - 1] == one->slot)
		quick->empty.n--;
	if (!one->item->remove)
		return;
	PUSH(&quick->empty, one->slot);
	numbers_retire(&one->agent->numbers, one->item->key, true);
}

static void finish(struct one *one, const struct things *before, struct edit_report *report)
{
	struct agent *agent = one->agent;
	AUTO(things_drop) struct things after = { 0 };
	struct items items = { (struct item *)(uintptr_t)one->item, 1, 1 };

	note(one);
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
	if (!may_edit(&one))
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
