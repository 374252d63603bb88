/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See plan_limits.h. */
#include "plan/plan_limits.h"

#include "base/mem.h"
#include "plan/plan_rows.h"

#include <assert.h>
#include <stdlib.h>

bool plan_limits_any(const struct binding *binding)
{
	return binding->limits || binding->warmup;
}

static int by_number(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

static int by_rate(const void *left, const void *right)
{
	const struct rate *a = left, *b = right;

	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	if (a->per != b->per)
		return a->per < b->per ? -1 : 1;
	return a->burst < b->burst ? -1 : a->burst > b->burst;
}

static const uint32_t *find_connections(const struct plan *plan, uint32_t n)
{
	const struct limits_to *to = &plan->limits_to;

	return bsearch(&n, to->connections, to->n_connections, sizeof n, by_number);
}

static const struct rate *find_new(const struct plan *plan, const struct rate *rate)
{
	const struct limits_to *to = &plan->limits_to;

	return bsearch(rate, to->new, to->n_new, sizeof *rate, by_rate);
}

static void collect(struct plan *plan, const struct limits *limits)
{
	struct limits_to *to = &plan->limits_to;

	if (limits->connections_to && !find_connections(plan, limits->connections_to)) {
		assert(to->n_connections < LIMITS_TO_MAX);
		to->connections[to->n_connections++] = limits->connections_to;
		qsort(to->connections, to->n_connections, sizeof *to->connections, by_number);
	}
	if (limits->new_to.n && !find_new(plan, &limits->new_to)) {
		assert(to->n_new < LIMITS_TO_MAX);
		to->new[to->n_new++] = limits->new_to;
		qsort(to->new, to->n_new, sizeof *to->new, by_rate);
	}
}

void plan_limits_collect(const struct model *model, struct plan *plan)
{
	for (size_t i = 0; i < model->bindings.n; i++)
		if (model->bindings.at[i].name && model->bindings.at[i].limits)
			collect(plan, model->bindings.at[i].limits);
}

/* A row of @set: mark, then @number if it is not NULL. */
static void add(struct plan *plan, enum set_id set, struct fwmark mark, const uint32_t *number)
{
	uint8_t *row = put_host32(plan_rows_add(plan, set), mark.host);

	if (number)
		put_host32(row, *number);
}

static void emit_limits(const struct limits *limits, struct plan *plan, struct fwmark mark)
{
	if (limits->connections)
		add(plan, SET_LIMIT_CONNECTIONS, mark, &limits->connections);
	if (limits->connections_to)
		add(plan, SET_CONNECTIONS_TO, mark, &limits->connections_to);
	if (limits->new_to.n) {
		uint32_t index = (uint32_t)(find_new(plan, &limits->new_to) - plan->limits_to.new);

		add(plan, SET_NEW_TO, mark, &index);
	}
	if (limits->new.n) {
		uint8_t *row = put_host32(plan_rows_add(plan, SET_LIMIT_NEW), mark.host);

		row = put_host32(row, limits->new.n);
		row = put_host32(row, limits->new.per);
		put_host32(row, limits->new.burst);
	}
}

struct reached { uint32_t *at; size_t n, room; };

static void reach(struct reached *reached, uint32_t binding)
{
	if (binding == NO_INDEX)
		return;
	for (size_t i = 0; i < reached->n; i++)
		if (reached->at[i] == binding)
			return;
	PUSH(reached, binding);
}

/* Whose number a flow may get that asked for @binding: what compares the two must know. */
static void emit_members(const struct model *model, struct plan *plan, uint32_t binding)
{
	struct reached reached = { 0 };

	reach(&reached, binding);
	for (size_t i = 0; i < reached.n; i++) {
		const struct binding *at = &model->bindings.at[reached.at[i]];

		for (uint32_t m = 0; at->group && m < at->group->n_members; m++)
			reach(&reached, at->group->members[m].binding);
		if (at->limits)
			reach(&reached, at->overflow);
		if (at->warmup)
			reach(&reached, at->warmup->overflow);
		if (i > 0 && !at->group)
			add(plan, SET_MEMBERS, plan->marks[binding],
			    &plan->marks[reached.at[i]].host);
	}
	free(reached.at);
}

static void emit_overflow(struct plan *plan, enum set_id map, enum set_id set, struct fwmark mark,
			  uint32_t other)
{
	if (other == NO_INDEX)
		return;
	add(plan, map, mark, &plan->marks[other].host);
	add(plan, set, mark, NULL);
}

/* What is left of this day, as a token bucket that is filled once; nothing cannot be one. */
static void emit_warmup(const struct binding *binding, const struct warmups *warmups,
			struct plan *plan, struct fwmark mark)
{
	const struct warmup *warmup = binding->warmup;
	const struct warmup_state *state = warmups ? warmups_find(warmups, binding->name) : NULL;
	uint32_t left;
	uint8_t *row;

	if (!warmup_limits(state, warmup))
		return;
	left = warmup_left(state, warmup);
	row = put_host32(plan_rows_add(plan, left ? SET_WARMUP : SET_WARMUP_SPENT), mark.host);
	if (left)
		put_host32(put_host32(row, left), state->day);
	emit_overflow(plan, SET_WARMUP_OVERFLOW, SET_WARMUP_OVERFLOWS, mark, warmup->overflow);
}

void plan_limits_emit(const struct model *model, const struct facts *facts, struct plan *plan,
		      uint32_t binding)
{
	const struct binding *at = &model->bindings.at[binding];
	struct fwmark mark = plan->marks[binding];

	if (!at->name)
		return;

	if (at->group || plan_limits_any(at))
		emit_members(model, plan, binding);
	if (!at->group && plan_limits_any(at)) {
		add(plan, SET_PASSED4, mark, NULL);
		add(plan, SET_PASSED6, mark, NULL);
	}
	emit_warmup(at, facts->warmups, plan, mark);
	if (!at->limits)
		return;
	emit_limits(at->limits, plan, mark);
	emit_overflow(plan, SET_OVERFLOW, SET_OVERFLOWS, mark, at->overflow);
}
