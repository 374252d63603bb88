/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See plan_groups.h. One function makes the slots of a group, for a plan that is being built and for
 * one that is changed in place, so that both come to the same. */
#include "plan/plan_groups.h"

#include "base/mem.h"
#include "plan/plan_rows.h"

#include <stdlib.h>

enum { CHANGES_MAX = SHARE_SLOTS + 1 };	/* of one group and family: slots, SET_LIMITED* */

struct picked { uint8_t member[SHARE_SLOTS]; bool any; };

enum set_id plan_groups_set(enum pick pick, enum family family)
{
	static const enum set_id sets[][FAMILIES] = {
		[PICK_TO] = { SET_PICK_TO4, SET_PICK_TO6 },
		[PICK_CLIENT] = { SET_PICK_CLIENT4, SET_PICK_CLIENT6 },
		[PICK_TURN] = { SET_PICK_TURN4, SET_PICK_TURN6 },
		[PICK_RANDOM] = { SET_PICK_RANDOM4, SET_PICK_RANDOM6 },
	};

	return sets[pick][family];
}

uint32_t plan_groups_find(const struct plan *plan, uint32_t binding)
{
	size_t low = 0, high = plan->n_groups;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (plan->groups[middle].binding < binding)
			low = middle + 1;
		else
			high = middle;
	}
	return low < plan->n_groups && plan->groups[low].binding == binding ? (uint32_t)low
									    : NO_INDEX;
}

size_t plan_groups_of(const struct plan *plan, uint32_t member)
{
	size_t low = 0, high = plan->n_memberships;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (plan->memberships[middle].member < member)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Who can be picked now, and the group's own usability, which follows from it. */
static void pick(struct plan *plan, const struct plan_group *group, enum family family,
		 struct picked *ret)
{
	struct usability *own = &plan->usability[group->binding];
	bool usable[MEMBERS_MAX], any = false, has_family = false;

	for (uint32_t i = 0; i < group->n_members; i++) {
		uint32_t member = group->members[i].binding;

		usable[i] = plan_usable(plan, member, family);
		any |= usable[i];
		has_family |= plan->usability[member].reason[family] != UNUSABLE_NO_ADDRESS;
	}
	own->reason[family] = any ? USABLE : has_family ? UNUSABLE_MEMBERS : UNUSABLE_NO_ADDRESS;
	own->by[family] = NO_INDEX;		/* it has no address of its own */
	ret->any = any && !plan->suspended[group->binding];
	if (!ret->any)
		return;
	if (!share_is_sticky(group->pick)) {
		share_turn(group->members, usable, group->n_members, ret->member);
		return;
	}
	for (uint32_t s = 0; s < SHARE_SLOTS; s++)
		ret->member[s] = usable[group->slots[s]] ? group->slots[s] :
			(uint8_t)share_fall_back(group->members, group->names, usable,
						 group->n_members, s);
}

static void put_pick(const struct plan *plan, const struct plan_group *group, uint32_t slot,
		     uint32_t member, uint8_t *row)
{
	row = put_host32(row, plan->marks[group->binding].host);
	row = put_host32(row, slot);
	put_host32(row, plan->marks[group->members[member].binding].host);
}

static void emit_family(struct plan *plan, const struct plan_group *group, enum family family)
{
	enum set_id set = plan_groups_set(group->pick, family);
	struct picked picked;

	pick(plan, group, family, &picked);
	if (picked.any && plan->limited[group->binding])
		put_host32(plan_rows_add(plan, plan_usable_set(plan, group->binding, family)),
			   plan->marks[group->binding].host);
	for (uint32_t s = 0; picked.any && s < SHARE_SLOTS; s++)
		put_pick(plan, group, s, picked.member[s], plan_rows_add(plan, set));
}

static void emit(struct plan *plan, const struct plan_group *group)
{
	uint32_t mark = plan->marks[group->binding].host;

	put_host32(plan_rows_add(plan, SET_GROUPS), mark);
	for (int f = 0; f < FAMILIES; f++)
		emit_family(plan, group, (enum family)f);
}

/* The slots that are remembered for @binding; for a group that nobody remembers, new ones. */
static void find_slots(const struct shares *shares, const struct binding *binding,
		       uint8_t slots[static SHARE_SLOTS])
{
	const struct share *share = shares ? shares_find(shares, binding->name) : NULL;

	if (share && share->n_members == binding->group->n_members) {
		memcpy(slots, share->slots, SHARE_SLOTS);
		return;
	}
	memset(slots, 0xff, SHARE_SLOTS);
	share_divide(binding->group->members, binding->group->n_members, slots);
}

static struct plan_group group_of(const struct model *model, const struct facts *facts,
				  uint32_t index)
{
	const struct binding *binding = &model->bindings.at[index];
	struct plan_group group = { .binding = index, .pick = binding->group->pick,
				    .members = binding->group->members,
				    .n_members = binding->group->n_members };

	group.names = mem_zero(group.n_members, sizeof *group.names);
	for (uint32_t i = 0; i < group.n_members; i++)
		group.names[i] = model->bindings.at[group.members[i].binding].name;
	if (share_is_sticky(group.pick))
		find_slots(facts->shares, binding, group.slots);
	return group;
}

static int by_member(const void *left, const void *right)
{
	const struct membership *a = left, *b = right;

	if (a->member != b->member)
		return a->member < b->member ? -1 : 1;
	return a->group < b->group ? -1 : a->group > b->group;
}

void plan_groups_build(const struct model *model, const struct facts *facts, struct plan *plan)
{
	struct { struct plan_group *at; size_t n, room; } groups = { 0 };
	struct { struct membership *at; size_t n, room; } memberships = { 0 };

	for (uint32_t i = 0; i < model->bindings.n; i++) {
		const struct binding_group *group = model->bindings.at[i].group;

		if (!group || !model->bindings.at[i].name)
			continue;
		for (uint32_t m = 0; m < group->n_members; m++)
			PUSH(&memberships, ((struct membership){ group->members[m].binding,
								 (uint32_t)groups.n }));
		PUSH(&groups, group_of(model, facts, i));
	}
	if (memberships.n)
		qsort(memberships.at, memberships.n, sizeof *memberships.at, by_member);
	plan->groups = groups.at;
	plan->n_groups = groups.n;
	plan->memberships = memberships.at;
	plan->n_memberships = memberships.n;
	for (size_t i = 0; i < plan->n_groups; i++)
		emit(plan, &plan->groups[i]);
}

void plan_groups_drop(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_groups; i++)
		free(plan->groups[i].names);
	free(plan->groups);
	free(plan->memberships);
	plan->groups = NULL;
	plan->memberships = NULL;
	plan->n_groups = plan->n_memberships = 0;
}

void regrouping_drop(struct regrouping *regrouping)
{
	ops_drop(&regrouping->ops);
	free(regrouping->rows);
	*regrouping = (struct regrouping){ 0 };
}

static void note(struct regrouping *ret, enum op_verb verb, enum set_id set, const uint8_t *row)
{
	uint8_t *copy = ret->rows + ret->n_rows++ * KEY_MAX;

	memcpy(copy, row, plan_shapes[set].row_len);
	PUSH(&ret->ops, ((struct op){ verb, set, copy }));
}

/* The row of a limited group that can be used, put in or taken out. */
static void relimit(struct plan *plan, const struct plan_group *group, enum family family, bool has,
		    struct regrouping *ret)
{
	enum set_id set = plan_usable_set(plan, group->binding, family);
	uint8_t row[KEY_MAX];

	put_host32(row, plan->marks[group->binding].host);
	if (has)
		plan_rows_put_in(plan, set, row);
	else
		plan_rows_take_out(plan, set, row);
	note(ret, has ? OP_ADD : OP_DELETE, set, row);
}

/* A group has all of its slots in a family, or none. */
static void repick(struct plan *plan, const struct plan_group *group, enum family family,
		   struct regrouping *del, struct regrouping *add)
{
	enum set_id set = plan_groups_set(group->pick, family);
	const struct rows *rows = &plan->sets[set];
	size_t len = plan_shapes[set].row_len, at;
	uint8_t before[SHARE_SLOTS * KEY_MAX], after[SHARE_SLOTS * KEY_MAX], mark[4];
	struct picked picked;
	bool had;

	put_host32(mark, plan->marks[group->binding].host);
	at = plan_rows_place(plan, set, mark, sizeof mark);
	had = at < rows->n && memcmp(rows->at + at * len, mark, sizeof mark) == 0;
	if (had)
		memcpy(before, rows->at + at * len, SHARE_SLOTS * len);
	pick(plan, group, family, &picked);
	for (uint32_t s = 0; s < SHARE_SLOTS && picked.any; s++)
		put_pick(plan, group, s, picked.member[s], after + s * len);
	plan_rows_splice(plan, set, at, had ? SHARE_SLOTS : 0,
			 &(struct rows){ .at = after, .n = picked.any ? SHARE_SLOTS : 0 });
	if (had != picked.any && plan->limited[group->binding])
		relimit(plan, group, family, picked.any, picked.any ? add : del);
	for (size_t i = 0; i < SHARE_SLOTS * len; i += len) {
		if (had && picked.any && memcmp(before + i, after + i, len) == 0)
			continue;
		if (had)
			note(del, OP_DELETE, set, before + i);
		if (picked.any)
			note(add, OP_ADD, set, after + i);
	}
}

void plan_groups_again(struct plan *plan, uint32_t binding, struct regrouping *ret)
{
	struct { uint32_t *at; size_t n, room; } touched = { 0 };
	struct regrouping add = { 0 };
	uint32_t own = plan_groups_find(plan, binding);

	if (own != NO_INDEX)
		PUSH(&touched, own);
	for (size_t i = plan_groups_of(plan, binding);
	     i < plan->n_memberships && plan->memberships[i].member == binding; i++)
		PUSH(&touched, plan->memberships[i].group);
	*ret = (struct regrouping){ .rows = mem_zero(touched.n * FAMILIES * CHANGES_MAX * 2,
						     KEY_MAX) };
	add.rows = ret->rows + touched.n * FAMILIES * CHANGES_MAX * KEY_MAX;
	for (size_t i = 0; i < touched.n; i++)
		for (int f = 0; f < FAMILIES; f++)
			repick(plan, &plan->groups[touched.at[i]], (enum family)f, ret, &add);
	for (size_t i = 0; i < add.ops.n; i++)
		PUSH(&ret->ops, add.ops.at[i]);
	ops_drop(&add.ops);
	free(touched.at);
}
