/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who leads to whom, by `unusable use` and by `overflow`: neither may come back to where it began,
 * and what overflows goes on at most OVERFLOW_HOPS times, since the kernel's rules follow it step
 * by step. A group leads to its members too: one of them gets what the group gets.
 *
 * A walk in depth, with its own stack: a chain may be as long as there are bindings. Every edge is
 * looked at once.
 */
#include "model/conf_build.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct step { uint32_t binding, edge; };

/* The @n-th that @binding leads to: an index, NO_INDEX (leads nowhere), or false: no more edges. */
typedef bool edge_fn(const struct model *model, uint32_t binding, uint32_t n, uint32_t *ret_to,
		     unsigned *ret_hops);

struct walk {
	struct conf *conf;
	edge_fn *edge;
	void (*report)(struct conf *conf, const struct step *loop, size_t n);
	struct { struct step *at; size_t n, room; } stack;
	uint32_t *place;			/* on the stack, plus one; DONE */
	uint8_t *hops;				/* of the longest chain from there, at most HOPS_MAX */
};

enum { HOPS_MAX = 100 };
#define DONE	UINT32_MAX

static bool unusable_edge(const struct model *model, uint32_t binding, uint32_t n,
			  uint32_t *ret_to, unsigned *ret_hops)
{
	*ret_to = model->bindings.at[binding].unusable_use;
	*ret_hops = 0;
	return n == 0;
}

static bool overflow_edge(const struct model *model, uint32_t index, uint32_t n,
			  uint32_t *ret_to, unsigned *ret_hops)
{
	const struct binding *binding = &model->bindings.at[index];

	*ret_hops = 1;
	*ret_to = NO_INDEX;
	if (n == 0) {
		*ret_to = binding->overflow;
	} else if (n == 1 && binding->warmup) {
		*ret_to = binding->warmup->overflow;
	} else if (n >= 2 && binding->group && n - 2 < binding->group->n_members) {
		*ret_to = binding->group->members[n - 2].binding;
		*ret_hops = 0;
	}
	return n < 2 || (binding->group && n - 2 < binding->group->n_members);
}

/* "'a' -> 'b' -> 'a'", of the steps from the binding that comes first in the text; a long one is
 * cut. */
static void loop_text(const struct conf *conf, const struct step *loop, size_t n, size_t first,
		      char *text, size_t room)
{
	enum { LOOP_SHOWN = 8 };
	const struct binding *bindings = conf->model->bindings.at;
	size_t used = 0;

	for (size_t i = 0; i < n && i < LOOP_SHOWN; i++)
		used += (size_t)snprintf(text + used, room - used, "%s -> ",
					 SHOW_TEXT(bindings[loop[(first + i) % n].binding].name));
	if (n > LOOP_SHOWN)
		used += (size_t)snprintf(text + used, room - used, "... -> ");
	snprintf(text + used, room - used, "%s", SHOW_TEXT(bindings[loop[first].binding].name));
}

static size_t first_of(const struct step *loop, size_t n)
{
	size_t first = 0;

	for (size_t i = 1; i < n; i++)
		if (loop[i].binding < loop[first].binding)
			first = i;
	return first;
}

enum { LOOP_TEXT = 16 * (NAME_MAX_BYTES + 24) };

static void report_unusable(struct conf *conf, const struct step *loop, size_t n)
{
	size_t first = first_of(loop, n);
	const struct binding *binding = &conf->model->bindings.at[loop[first].binding];
	char text[LOOP_TEXT];

	if (n == 1) {
		diag_error(conf->diag, binding->where_unusable,
			   "binding %s would use itself when it is unusable: expected another binding",
			   SHOW_TEXT(binding->name));
		return;
	}
	loop_text(conf, loop, n, first, text, sizeof text);
	diag_error(conf->diag, binding->where_unusable, "loop of 'unusable use': %s", text);
}

static struct where overflow_place(const struct binding *binding)
{
	return binding->where_overflow.line		      ? binding->where_overflow
	       : binding->warmup && binding->warmup->where_overflow.line
		       ? binding->warmup->where_overflow
		       : binding->where;
}

static void report_overflow(struct conf *conf, const struct step *loop, size_t n)
{
	size_t first = first_of(loop, n);
	const struct binding *binding = &conf->model->bindings.at[loop[first].binding];
	char text[LOOP_TEXT];
	bool has_group = false;

	for (size_t i = 0; i < n; i++)
		has_group = has_group || conf->model->bindings.at[loop[i].binding].group;
	loop_text(conf, loop, n, first, text, sizeof text);
	diag_error(conf->diag, overflow_place(binding),
		   "loop of 'overflow': %s: expected what exceeds a limit to end somewhere%s", text,
		   has_group ? "; a group leads to its members" : "");
}

static void enter(struct walk *walk, uint32_t binding)
{
	PUSH(&walk->stack, ((struct step){ .binding = binding }));
	walk->place[binding] = (uint32_t)walk->stack.n;
}

static void leave(struct walk *walk)
{
	struct step done = walk->stack.at[--walk->stack.n];
	struct step *above = walk->stack.n ? &walk->stack.at[walk->stack.n - 1] : NULL;
	unsigned hops = 0;
	uint32_t to;

	walk->place[done.binding] = DONE;
	if (!above || !walk->edge(walk->conf->model, above->binding, above->edge - 1, &to, &hops))
		return;
	hops += walk->hops[done.binding];
	if (hops > walk->hops[above->binding])
		walk->hops[above->binding] = (uint8_t)(hops < HOPS_MAX ? hops : HOPS_MAX);
}

/* One edge further: down into what it leads to, or on, or up. */
static void go_on(struct walk *walk)
{
	struct step *top = &walk->stack.at[walk->stack.n - 1];
	uint32_t to, from = top->binding;
	unsigned hops;

	if (!walk->edge(walk->conf->model, from, top->edge++, &to, &hops)) {
		leave(walk);
		return;
	}
	if (to == NO_INDEX)
		return;
	if (walk->place[to] == 0) {
		enter(walk, to);
	} else if (walk->place[to] == DONE) {
		hops += walk->hops[to];
		if (hops > walk->hops[from])
			walk->hops[from] = (uint8_t)(hops < HOPS_MAX ? hops : HOPS_MAX);
	} else {
		size_t start = walk->place[to] - 1;

		walk->report(walk->conf, &walk->stack.at[start], walk->stack.n - start);
	}
}

static void walk_all(struct walk *walk)
{
	for (uint32_t i = 0; i < walk->conf->model->bindings.n; i++) {
		if (walk->place[i] == 0)
			enter(walk, i);
		while (walk->stack.n)
			go_on(walk);
	}
}

static void walk_drop(struct walk *walk)
{
	free(walk->stack.at);
	free(walk->place);
	free(walk->hops);
}

static struct walk walk_start(struct conf *conf, edge_fn *edge)
{
	size_t n = conf->model->bindings.n;

	return (struct walk){ .conf = conf,
			      .edge = edge,
			      .place = mem_zero(n, sizeof(uint32_t)),
			      .hops = mem_zero(n, 1) };
}

/* Each chain once, where it is one hop too long. */
static void check_hops(struct conf *conf, const uint8_t *hops)
{
	const struct model *model = conf->model;

	for (uint32_t i = 0; i < model->bindings.n; i++)
		if (hops[i] == OVERFLOW_HOPS + 1 && overflow_place(&model->bindings.at[i]).line)
			diag_error(conf->diag, overflow_place(&model->bindings.at[i]),
				   "what exceeds the limits of %s could overflow more than %d times: "
				   "expected a shorter chain of 'overflow'",
				   SHOW_TEXT(model->bindings.at[i].name), OVERFLOW_HOPS);
}

void conf_chain_check(struct conf *conf)
{
	AUTO(walk_drop) struct walk unusable = walk_start(conf, unusable_edge);
	AUTO(walk_drop) struct walk overflow = walk_start(conf, overflow_edge);

	unusable.report = report_unusable;
	overflow.report = report_overflow;
	walk_all(&unusable);
	walk_all(&overflow);
	check_hops(conf, overflow.hops);
}
