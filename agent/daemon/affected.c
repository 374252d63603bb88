/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See affected.h. The marks are those in force: connections keep what they were given. */
#include "daemon/affected.h"

#include "base/mem.h"
#include "daemon/log.h"

#include <string.h>

struct touched { uint32_t *at; size_t n, room; };	/* bindings in force, each once */

static void touch(struct touched *touched, uint32_t binding)
{
	for (size_t i = 0; i < touched->n; i++)
		if (touched->at[i] == binding)
			return;
	if (binding != NO_INDEX)
		PUSH(touched, binding);
}

static bool addresses_same(const struct model *a, const struct binding *x, const struct model *b,
			   const struct binding *y)
{
	if (x->n_addresses != y->n_addresses || (x->group != NULL) != (y->group != NULL))
		return false;
	for (uint32_t i = 0; i < x->n_addresses; i++)
		if (!ip_equal(&a->addresses.at[x->first_address + i].ip,
			      &b->addresses.at[y->first_address + i].ip))
			return false;
	return !x->group;
}

static void touch_binding(const struct model *now, const struct model *fresh, const char *name,
			  struct touched *touched)
{
	uint32_t old = model_find(now, name), after = model_find(fresh, name);

	if (old != NO_INDEX &&
	    (after == NO_INDEX || !addresses_same(now, &now->bindings.at[old], fresh,
						  &fresh->bindings.at[after])))
		touch(touched, old);
}

/* Who @action used, of a rule that is another one now. */
static void touch_rule(const struct model *now, const char *action, struct touched *touched)
{
	if (action && strncmp(action, "use ", 4) == 0)
		touch(touched, model_find(now, action + 4));
}

static void collect(const struct model *now, const struct model *fresh,
		    const struct differences *changes, struct touched *touched)
{
	for (size_t i = 0; i < changes->n; i++) {
		const struct difference *change = &changes->at[i];

		if (change->thing == ITEM_BINDING || change->thing == ITEM_GROUP)
			touch_binding(now, fresh, change->name, touched);
		else if (change->thing == ITEM_RULE)
			touch_rule(now, change->before, touched);
	}
}

void affected_count(struct agent *agent, const struct model *fresh, struct edit_report *report)
{
	const struct model *now = &agent->now->model;
	struct fwmark *AUTO(mem_drop) marks = NULL;
	uint64_t *AUTO(mem_drop) counts = NULL;
	struct touched touched = { 0 };
	int r = 0;

	collect(now, fresh, &report->changes, &touched);
	marks = mem_zero(touched.n, sizeof *marks);
	counts = mem_zero(touched.n, sizeof *counts);
	for (size_t i = 0; i < touched.n; i++)
		marks[i] = agent->now->plan.marks[touched.at[i]];
	if (touched.n > 0)
		r = agent->kernel->count_connections(agent->kernel, now->mask, marks, touched.n,
						     counts);
	if (r < 0)
		log_event(EVENT_CONNECTIONS_UNKNOWN,
			  "error=\"%s\" next=\"the change is not held up\"", strerror(-r));
	for (size_t i = 0; i < touched.n && r == 0; i++) {
		const char *name = now->bindings.at[touched.at[i]].name;

		if (counts[i] > 0)
			PUSH(&report->affected, ((struct affected){ mem_copy(name),
								    counts[i] }));
	}
	free(touched.at);
}
