/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of two destinations is narrower, and the rules for which neither is. Conflicts are collected
 * while rows are made, since one pair of rules may meet in many classes, and told once at the end.
 */
#include "plan/plan_policy.h"

#include "base/mem.h"

enum { CONFLICTS_MAX = 100000 };		/* collected; diag.h shows far fewer */

/* Whether every class of @inner is one of @outer: destination_contains() at the price of two lists
 * of classes, not of two lists of prefixes squared. */
static bool compare_classes(const struct classes *classes, uint32_t outer, uint32_t inner)
{
	size_t at = classes->first[outer], end = classes->first[outer + 1];

	if (plan_classes_breadth(classes, inner) > end - at)
		return false;
	for (size_t i = classes->first[inner]; i < classes->first[inner + 1]; i++) {
		while (at < end && classes->in[at] < classes->in[i])
			at++;
		if (at == end || classes->in[at] != classes->in[i])
			return false;
	}
	return true;
}

/* The same with a memory: a hundred thousand users ask the same question. */
static bool contains(struct policy *policy, uint32_t outer, uint32_t inner)
{
	size_t slot = (outer * 31 + inner) % ARRAY_LEN(policy->memory);
	__auto_type memory = &policy->memory[slot];

	if (!memory->known || memory->outer != outer || memory->inner != inner) {
		memory->known = true;
		memory->outer = outer;
		memory->inner = inner;
		memory->contains = compare_classes(&policy->classes, outer, inner);
	}
	return memory->contains;
}

bool plan_conflict_narrower(struct policy *policy, uint32_t a, uint32_t b)
{
	uint32_t inner = policy->classes.of_rule[a], outer = policy->classes.of_rule[b];

	if (inner == NO_INDEX || outer == NO_INDEX || inner == outer)
		return false;
	return contains(policy, outer, inner) && !contains(policy, inner, outer);
}

void plan_conflict_add(struct policy *policy, uint32_t a, uint32_t b)
{
	struct conflict conflict = { .rule = a > b ? a : b, .earlier = a > b ? b : a };

	if (policy->conflicts.n < CONFLICTS_MAX)
		PUSH(&policy->conflicts, conflict);
}

static int by_rules(const void *left, const void *right)
{
	const struct conflict *a = left, *b = right;

	if (a->rule != b->rule)
		return a->rule < b->rule ? -1 : 1;
	return a->earlier < b->earlier ? -1 : a->earlier > b->earlier;
}

void plan_conflict_report(struct policy *policy, struct diag *diag)
{
	if (policy->conflicts.n == 0)
		return;
	qsort(policy->conflicts.at, policy->conflicts.n, sizeof *policy->conflicts.at, by_rules);
	for (size_t i = 0; i < policy->conflicts.n; i++) {
		const struct conflict *conflict = &policy->conflicts.at[i];
		const struct model *model = policy->model;
		char place[512];

		if (i > 0 && by_rules(conflict, conflict - 1) == 0)
			continue;
		model_place(model, model->rules.at[conflict->earlier].where, place, sizeof place);
		diag_error(diag, model->rules.at[conflict->rule].where,
			   "this rule and the one at %s claim the same client and destination, "
			   "and neither is narrower", place);
	}
}
