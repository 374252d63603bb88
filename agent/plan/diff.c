/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both sides are sorted, so one walk side by side finds what differs. Origins do not count: a rule
 * that moved to another line is the same rule to the kernel. A set is walked twice, once for each
 * verb, because deletions must stand before additions and rows are borrowed, never copied.
 */
#include "plan/diff.h"

#include "base/mem.h"

#include <string.h>

void ops_drop(struct ops *ops)
{
	free(ops->at);
	*ops = (struct ops){ 0 };
}

static size_t content_len(const struct set_shape *shape)
{
	return (size_t)shape->key_len * (shape->interval ? 2 : 1) + shape->data_len;
}

/* Rows of @here that @there does not have, byte for byte. */
static void walk(enum set_id set, const struct rows *here, const struct rows *there,
		 enum op_verb verb, struct ops *ops)
{
	const struct set_shape *shape = &plan_shapes[set];
	size_t len = content_len(shape), t = 0;

	for (size_t h = 0; h < here->n; h++) {
		const uint8_t *row = here->at + h * shape->row_len;
		int c = 1;

		while (t < there->n) {
			c = memcmp(row, there->at + t * shape->row_len, shape->key_len);
			if (c <= 0)
				break;
			t++;
		}
		if (t < there->n && c == 0 && memcmp(row, there->at + t * shape->row_len, len) == 0)
			continue;
		PUSH(ops, ((struct op){ verb, set, row }));
	}
}

void diff_plans(const struct plan *desired, const struct plan *actual, struct ops *ret_ops)
{
	struct ops ops = { 0 };

	for (int i = 0; i < SETS; i++) {
		enum set_id set = (enum set_id)i;

		walk(set, &actual->sets[i], &desired->sets[i], OP_DELETE, &ops);
		walk(set, &desired->sets[i], &actual->sets[i], OP_ADD, &ops);
	}
	*ret_ops = ops;
}

/* Is @set looked up to find out which number, or relay, a packet's client has? */
static bool tells_clients(enum set_id set)
{
	return set <= SET_OTHERWISE || (set >= SET_INTERCEPT_PORTS && set <= SET_UNOWNED);
}

/* Sets in which one packet's client is looked for more than once: cgroups upwards, with a class and without. */
static bool asked_again(enum set_id set)
{
	return set == SET_BY_CGROUP || set == SET_BY_CGROUP_TO || set == SET_OTHERWISE;
}

bool diff_needs_epoch(const struct op *ops, size_t n)
{
	const struct op *first = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!tells_clients(ops[i].set) || ops[i].set == SET_ZONE)
			continue;
		if (plan_shapes[ops[i].set].interval || (first && first->set != ops[i].set))
			return true;
		if (first && first->verb != ops[i].verb && asked_again(ops[i].set))
			return true;
		if (!first)
			first = &ops[i];
	}
	return false;
}
