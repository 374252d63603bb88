/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From qualifiers to classes, in three steps:
 *   addresses  plan_labels.c: each family's `to` prefixes become disjoint ranges, labelled by the
 *              set of destinations that cover them (label 0: none);
 *   ports      per label, destinations cut the ports of each protocol into cells;
 *   classes    each distinct set of matching destinations is a class.
 * Sets are kept as sorted ids and found by hash, so cost follows what is written down: prefixes,
 * ranges and the sizes of the sets, not the number of destinations squared.
 */
#include "plan/plan_classes.h"

#include "base/mem.h"
#include "plan/plan_rows.h"

enum { PORTS = 65536, PROTOCOLS = 256 };

static const uint8_t with_ports[] = { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_DCCP, PROTOCOL_SCTP,
				      PROTOCOL_UDPLITE };	/* ascending */

static bool has_ports(unsigned protocol)
{
	return memchr(with_ports, (int)protocol, sizeof with_ports) != NULL;
}

void plan_classes_drop(struct classes *classes)
{
	free(classes->of_rule);
	free(classes->destinations.at);
	plan_idsets_drop(&classes->labels);
	free(classes->label_families);
	plan_idsets_drop(&classes->sets);
	free(classes->families);
	free(classes->any_to.at);
	free(classes->first);
	free(classes->in);
	*classes = (struct classes){ 0 };
}

struct edge { uint32_t at, id; bool begins; };	/* a destination begins or ends to match */

struct cell { uint32_t first, last, class; };

struct cells {					/* one label's sweep over ports or protocols */
	struct { struct edge *at; size_t n, room; } edges;
	struct { struct cell *at; size_t n, room; } cut;
	struct ids active;
};

static int by_edge(const void *left, const void *right)
{
	const struct edge *a = left, *b = right;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return (int)a->begins - (int)b->begins;	/* one that ends and begins here goes on */
}

static void add_edges(struct cells *cells, uint32_t id, uint32_t first, uint32_t last)
{
	PUSH(&cells->edges, ((struct edge){ first, id, true }));
	PUSH(&cells->edges, ((struct edge){ last + 1, id, false }));
}

/* Note a cell, or let the last one go on. */
static void add_cut(struct cells *cells, struct cell cell)
{
	struct cell *last = cells->cut.n > 0 ? &cells->cut.at[cells->cut.n - 1] : NULL;

	if (last && last->class == cell.class && last->last + 1 == cell.first)
		last->last = cell.last;
	else
		PUSH(&cells->cut, cell);
}

/* Cut [0, @end) at the edges gathered; cells where nothing matches are left out. */
static int cut_cells(struct classes *classes, struct cells *cells, uint32_t end)
{
	cells->cut.n = cells->active.n = 0;
	if (cells->edges.n == 0)
		return 0;
	qsort(cells->edges.at, cells->edges.n, sizeof *cells->edges.at, by_edge);
	for (size_t i = 0; i < cells->edges.n;) {
		uint32_t at = cells->edges.at[i].at, class, next;

		for (; i < cells->edges.n && cells->edges.at[i].at == at; i++) {
			if (cells->edges.at[i].begins)
				plan_idsets_enter(&cells->active, cells->edges.at[i].id);
			else
				plan_idsets_leave(&cells->active, cells->edges.at[i].id);
		}
		next = i < cells->edges.n ? cells->edges.at[i].at : end;
		class = plan_idsets_number(&classes->sets, cells->active.at, cells->active.n);
		if (classes->sets.pool.n > PLAN_ROWS_MAX)
			return -E2BIG;
		if (class != 0)
			add_cut(cells, (struct cell){ at, next - 1, class });
	}
	return 0;
}

static bool matches_protocol(const struct destination *to, uint8_t protocol)
{
	return to->n_protocols == 0 || memchr(to->protocols, protocol, to->n_protocols) != NULL;
}

static void add_cell(struct plan *plan, enum set_id set, uint32_t label, uint8_t protocol,
		     const struct cell *cell)
{
	uint8_t *row = plan_rows_add(plan, set), *end = row + plan_shapes[set].key_len;

	put_net32(row, label);
	put_net32(end, label);
	if (set == SET_WHERE_PORT) {
		row[4] = end[4] = protocol;
		put_place(row + 8, cell->first, 2);
		put_place(end + 8, cell->last, 2);
	} else {
		row[4] = (uint8_t)cell->first;
		end[4] = (uint8_t)cell->last;
	}
	put_host32(end + plan_shapes[set].key_len, cell->class);
}

/* Rows of a cell of protocols, around those that have ports. */
static void add_protocols(struct plan *plan, uint32_t label, struct cell cell)
{
	struct cell part = cell;

	for (size_t i = 0; i < sizeof with_ports; i++) {
		if (with_ports[i] < part.first || with_ports[i] > cell.last)
			continue;
		part.last = with_ports[i] - 1u;
		if (with_ports[i] > part.first)
			add_cell(plan, SET_WHERE_PROTOCOL, label, 0, &part);
		part.first = with_ports[i] + 1u;
	}
	part.last = cell.last;
	if (part.first <= part.last)
		add_cell(plan, SET_WHERE_PROTOCOL, label, 0, &part);
}

/* The ports of one protocol. */
static int cut_ports(struct classes *classes, const struct ids *match, uint8_t protocol,
		     struct cells *cells)
{
	cells->edges.n = 0;
	for (size_t i = 0; i < match->n; i++) {
		const struct destination *to = classes->destinations.at[match->at[i]];

		if (!matches_protocol(to, protocol))
			continue;
		if (to->n_ports == 0)
			add_edges(cells, match->at[i], 0, PORTS - 1);
		for (uint32_t p = 0; p < to->n_ports; p++)
			add_edges(cells, match->at[i], to->ports[p].first, to->ports[p].last);
	}
	return cut_cells(classes, cells, PORTS);
}

/* All protocols without ports. */
static int cut_protocols(struct classes *classes, const struct ids *match, struct cells *cells)
{
	cells->edges.n = 0;
	for (size_t i = 0; i < match->n; i++) {
		const struct destination *to = classes->destinations.at[match->at[i]];

		if (to->n_ports > 0)
			continue;
		if (to->n_protocols == 0)
			add_edges(cells, match->at[i], 0, PROTOCOLS - 1);
		for (uint32_t p = 0; p < to->n_protocols; p++)
			if (!has_ports(to->protocols[p]))
				add_edges(cells, match->at[i], to->protocols[p], to->protocols[p]);
	}
	return cut_cells(classes, cells, PROTOCOLS);
}

static int cut_label(struct plan *plan, struct classes *classes, uint32_t label,
		     const struct ids *match, struct cells *cells)
{
	bool alike = true;			/* all five protocols give the same cells */
	int r;

	for (size_t i = 0; i < match->n; i++)
		alike = alike && classes->destinations.at[match->at[i]]->n_protocols == 0;
	for (size_t p = 0; p < sizeof with_ports; p++) {
		r = p > 0 && alike ? 0 : cut_ports(classes, match, with_ports[p], cells);
		if (r < 0)
			return r;
		for (size_t i = 0; i < cells->cut.n; i++)
			add_cell(plan, SET_WHERE_PORT, label, with_ports[p], &cells->cut.at[i]);
	}
	r = cut_protocols(classes, match, cells);
	if (r < 0)
		return r;
	for (size_t i = 0; i < cells->cut.n; i++)
		add_protocols(plan, label, cells->cut.at[i]);
	return plan->sets[SET_WHERE_PORT].n > PLAN_ROWS_MAX ? -E2BIG : 0;
}

static int cut_labels(struct plan *plan, struct classes *classes)
{
	struct cells cells = { 0 };
	struct ids match = { 0 };
	int r = 0;

	for (uint32_t id = 0; id < classes->destinations.n; id++)
		if (classes->destinations.at[id]->n_prefixes == 0)
			PUSH(&classes->any_to, id);
	for (uint32_t label = 0; label <= classes->labels.starts.n && r == 0; label++) {
		plan_idsets_unite(&match, plan_idsets_get(&classes->labels, label),
				  (struct idset){ classes->any_to.at, classes->any_to.n });
		if (match.n > 0)
			r = cut_label(plan, classes, label, &match, &cells);
	}
	free(cells.edges.at);
	free(cells.cut.at);
	free(cells.active.at);
	free(match.at);
	return r;
}

static void note_class_families(const struct plan *plan, struct classes *classes)
{
	static const enum set_id sets[] = { SET_WHERE_PORT, SET_WHERE_PROTOCOL };

	classes->families = mem_zero(classes->sets.starts.n + 1, 1);
	for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
		const struct set_shape *shape = &plan_shapes[sets[s]];

		for (size_t i = 0; i < plan->sets[sets[s]].n; i++) {
			const uint8_t *row = plan->sets[sets[s]].at + i * shape->row_len;

			classes->families[get_host32(row_value(shape, row))] |=
				classes->label_families[be32toh(get_host32(row))];
		}
	}
}

/* The other way round: the classes of each destination, in one array. */
static void index_classes(struct classes *classes)
{
	size_t n = classes->destinations.n, *AUTO(mem_drop) next = mem_zero(n + 1, sizeof *next);
	const struct ids *pool = &classes->sets.pool;

	classes->first = mem_zero(n + 1, sizeof *classes->first);
	classes->in = mem_zero(pool->n, sizeof *classes->in);
	for (size_t i = 0; i < pool->n; i++)
		classes->first[pool->at[i] + 1]++;
	for (size_t i = 0; i < n; i++) {
		classes->first[i + 1] += classes->first[i];
		next[i] = classes->first[i];
	}
	for (uint32_t class = 1; class <= classes->sets.starts.n; class++) {
		struct idset set = plan_idsets_get(&classes->sets, class);

		for (size_t i = 0; i < set.n; i++)
			classes->in[next[set.at[i]]++] = class;
	}
}

int plan_classes_build(const struct model *model, struct plan *plan, struct classes *ret_classes)
{
	AUTO(plan_classes_drop) struct classes classes = { 0 };
	int r;

	r = plan_labels_build(model, plan, &classes);
	if (r == 0)
		r = cut_labels(plan, &classes);
	if (r < 0)
		return r;
	note_class_families(plan, &classes);
	index_classes(&classes);
	*ret_classes = classes;
	classes = (struct classes){ 0 };
	return 0;
}
