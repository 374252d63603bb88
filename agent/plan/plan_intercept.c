/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose TCP connections are turned to the relay, at which ports, and to which of its ports. Rows of
 * a set that has ranges must not overlap, so where clients do (a user in a range of users, a prefix
 * in a wider one) the narrower has it here, and of equally narrow ones the one written first.
 *
 * Clients of one kind are taken apart at the edges of their ports, and for each stretch of ports
 * there is one sweep over the clients: n log n, times how deep they are nested. A cgroup that is
 * not there has no row; it is followed as those of rules are.
 */
#include "plan/plan_intercept.h"

#include "base/mem.h"
#include "plan/plan_rows.h"

struct area {					/* who, at which ports, to which */
	struct span who;
	struct port_range ports;
	uint16_t to;
	uint32_t listener;
	uint32_t order;				/* in the text */
};

struct areas { struct area *at; size_t n, room; };

/* Kinds of clients, in the order of their sets: two each. */
enum { KIND_CGROUP, KIND_USER, KIND_GROUP, KIND_SOURCE4, KIND_SOURCE6, KINDS };

struct edges { uint32_t *at; size_t n, room; };	/* where ports begin, or end before */

static int by_number(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

static int by_first(const void *left, const void *right)
{
	const struct area *a = left, *b = right;

	if (a->who.first != b->who.first)
		return a->who.first < b->who.first ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static bool wins(const struct area *a, const struct area *b)
{
	unsigned __int128 width_a = a->who.last - a->who.first;
	unsigned __int128 width_b = b->who.last - b->who.first;

	return width_a != width_b ? width_a < width_b : a->order < b->order;
}

static void put_port(uint8_t *at, uint32_t port)
{
	at[0] = (uint8_t)(port >> 8);
	at[1] = (uint8_t)port;
}

/* All of @who at all of @ports goes where @area says. */
static void add_rows(struct plan *plan, int kind, struct span who, struct port_range ports,
		     const struct area *area)
{
	for (int i = 0; i < 2; i++) {		/* `turned`, then `intercept` */
		enum set_id set = (enum set_id)(SET_TURNED_CGROUP + kind * 2 + i);
		size_t key_len = plan_shapes[set].key_len, len = key_len - 4;
		uint8_t *row = plan_rows_add(plan, set);

		put_port(put_place(row, who.first, len), ports.first);
		put_port(put_place(row + key_len, who.last, len), ports.last);
		if (i == 1)
			put_port(row + 2 * key_len, area->to);
		plan_rows_origin(&plan_shapes[set], row, area->listener);
	}
}

/* Those of @open that have not ended before @at, and which of them has it. */
static const struct area *narrowest(struct areas *open, unsigned __int128 at)
{
	const struct area *best = NULL;
	size_t n = 0;

	for (size_t i = 0; i < open->n; i++)
		if (open->at[i].who.last >= at)
			open->at[n++] = open->at[i];
	open->n = n;
	for (size_t i = 0; i < n; i++)
		if (!best || wins(&open->at[i], best))
			best = &open->at[i];
	return best;
}

/* Who has what at @ports: @here are those that ask for all of these, sorted by where they begin. */
static void sweep(struct plan *plan, int kind, const struct areas *here, struct port_range ports,
		  struct areas *open)
{
	unsigned __int128 at = 0;
	size_t i = 0;

	open->n = 0;
	while (i < here->n || open->n > 0) {
		const struct area *best;
		struct span span;

		if (open->n == 0)
			at = here->at[i].who.first;
		for (; i < here->n && here->at[i].who.first == at; i++)
			PUSH(open, here->at[i]);
		best = narrowest(open, at);
		if (!best)
			continue;
		span = (struct span){ at, best->who.last };
		if (i < here->n && here->at[i].who.first <= span.last)
			span.last = here->at[i].who.first - 1;
		add_rows(plan, kind, span, ports, best);
		at = span.last + 1;
		if (at == 0)			/* the last of all addresses: nothing is behind it */
			break;
	}
}

/* Edges in order, each once. */
static void close_edges(struct edges *edges)
{
	size_t n = 0;

	if (edges->n > 0)
		qsort(edges->at, edges->n, sizeof *edges->at, by_number);
	for (size_t i = 0; i < edges->n; i++)
		if (n == 0 || edges->at[n - 1] != edges->at[i])
			edges->at[n++] = edges->at[i];
	edges->n = n;
}

/* All rows of one kind of client. */
static void build_kind(struct plan *plan, int kind, struct areas *areas)
{
	struct areas here = { 0 }, open = { 0 };
	struct edges edges = { 0 };

	if (areas->n > 0)
		qsort(areas->at, areas->n, sizeof *areas->at, by_first);
	for (size_t i = 0; i < areas->n; i++) {
		PUSH(&edges, areas->at[i].ports.first);
		PUSH(&edges, areas->at[i].ports.last + 1u);
	}
	close_edges(&edges);
	for (size_t e = 0; e + 1 < edges.n; e++) {
		struct port_range ports = { (uint16_t)edges.at[e],
					    (uint16_t)(edges.at[e + 1] - 1) };

		here.n = 0;
		for (size_t i = 0; i < areas->n; i++)
			if (areas->at[i].ports.first <= ports.first &&
			    areas->at[i].ports.last >= ports.last)
				PUSH(&here, areas->at[i]);
		sweep(plan, kind, &here, ports, &open);
	}
	free(edges.at);
	free(here.at);
	free(open.at);
}

static void add_area(struct areas *all, int kind, struct area area, struct span who)
{
	area.who = who;
	PUSH(&all[kind], area);
}

/* The cgroup that is there, and those that were: their sockets may live on. */
static void add_cgroups(struct areas *all, const struct facts *facts, uint32_t cgroup,
			struct area area)
{
	const struct former_cgroup *formers;
	size_t n = facts_formers(facts, cgroup, &formers);
	uint64_t id = facts->cgroup_ids ? facts->cgroup_ids[cgroup] : 0;

	for (size_t i = 0; i < n; i++)
		add_area(all, KIND_CGROUP, area, (struct span){ formers[i].id, formers[i].id });
	if (id)
		add_area(all, KIND_CGROUP, area, (struct span){ id, id });
}

/* @area for @client: nothing if it is not there. */
static void add_client(struct areas *all, const struct facts *facts,
		       const struct relay_client *client, struct area area)
{
	switch (client->kind) {
	case RELAY_BY_CGROUP:
		add_cgroups(all, facts, client->cgroup, area);
		return;
	case RELAY_BY_USER:
	case RELAY_BY_GROUP:
		add_area(all, client->kind == RELAY_BY_USER ? KIND_USER : KIND_GROUP, area,
			 (struct span){ client->ids.first, client->ids.last });
		return;
	case RELAY_BY_SOURCE:
		add_area(all, client->source.ip.len == 4 ? KIND_SOURCE4 : KIND_SOURCE6, area,
			 prefix_span(&client->source));
		return;
	}
}

/* Every port that is asked for, for the one look of what is not. */
static void build_ports(const struct areas *all, struct plan *plan)
{
	const struct set_shape *shape = &plan_shapes[SET_INTERCEPT_PORTS];
	struct edges firsts = { 0 }, lasts = { 0 };
	uint32_t open = 0;

	for (int kind = 0; kind < KINDS; kind++)
		for (size_t i = 0; i < all[kind].n; i++) {
			PUSH(&firsts, all[kind].at[i].ports.first);
			PUSH(&lasts, all[kind].at[i].ports.last + 1u);
		}
	if (firsts.n > 0) {
		qsort(firsts.at, firsts.n, sizeof *firsts.at, by_number);
		qsort(lasts.at, lasts.n, sizeof *lasts.at, by_number);
	}
	for (size_t first = 0, last = 0; last < lasts.n;) {
		if (first < firsts.n && firsts.at[first] <= lasts.at[last]) {
			if (open++ == 0)
				put_port(plan_rows_add(plan, SET_INTERCEPT_PORTS),
					 firsts.at[first]);
			first++;
		} else if (--open == 0) {
			struct rows *rows = &plan->sets[SET_INTERCEPT_PORTS];

			put_port(rows->at + (rows->n - 1) * shape->row_len + shape->key_len,
				 lasts.at[last++] - 1);
		} else {
			last++;
		}
	}
	free(firsts.at);
	free(lasts.at);
}

void plan_intercept_build(const struct model *model, const struct facts *facts, struct plan *plan)
{
	struct areas all[KINDS] = { 0 };
	struct area area = { 0 };

	for (size_t l = 0; l < model->relay.listeners.n; l++) {
		const struct relay_listener *listener = &model->relay.listeners.at[l];
		const struct relay_intercept *intercept = &listener->intercept;

		if (listener->protocol != RELAY_INTERCEPT)
			continue;
		area.to = listener->at.port;
		area.listener = (uint32_t)l;
		for (uint32_t i = 0; i < intercept->n_clients; i++)
			for (uint32_t p = 0; p < intercept->n_ports; p++) {
				area.ports = intercept->ports[p];
				area.order++;
				add_client(all, facts, &intercept->clients[i], area);
			}
	}
	build_ports(all, plan);
	for (int kind = 0; kind < KINDS; kind++) {
		build_kind(plan, kind, &all[kind]);
		free(all[kind].at);
	}
}
