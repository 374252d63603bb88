/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First half of the classes: numbers for the distinct destinations, then one sweep a family over
 * their `to` prefixes. Prefixes are nested or apart, so the sweep keeps the open ones on a stack,
 * each with the set of destinations that cover it; what lies between two edges is a range with a
 * label. plan_classes.c cuts the labels by port and protocol.
 */
#include "plan/plan_classes.h"

#include "base/mem.h"
#include "plan/plan_rows.h"

#include <xxhash.h>

static uint64_t hash_destination(const struct destination *to)
{
	uint64_t hash = to->n_prefixes;

	for (uint32_t i = 0; i < to->n_prefixes; i++)
		hash = XXH3_64bits_withSeed(to->prefixes[i].ip.octet, to->prefixes[i].ip.len,
					    hash * 256 + to->prefixes[i].bits);
	for (uint32_t i = 0; i < to->n_ports; i++)
		hash = XXH3_64bits_withSeed(&to->ports[i], sizeof to->ports[i], hash);
	return to->n_protocols ? XXH3_64bits_withSeed(to->protocols, to->n_protocols, hash) : hash;
}

/* Hash of what destinations hold (id + 1), and in front of it one of their addresses, since a
 * destination of many rules is usually one object with many pointers to it. */
struct numbering {
	uint32_t *index;
	struct { const struct destination *to; uint32_t id; } *known;
	size_t room;				/* of both; a power of two, more than twice the rules */
};

static uint32_t number_content(struct numbering *numbering, struct classes *classes,
			       const struct destination *to)
{
	size_t slot = hash_destination(to) & (numbering->room - 1);

	for (; numbering->index[slot] != 0; slot = (slot + 1) & (numbering->room - 1))
		if (destination_equal(classes->destinations.at[numbering->index[slot] - 1], to))
			return numbering->index[slot] - 1;
	PUSH(&classes->destinations, to);
	numbering->index[slot] = (uint32_t)classes->destinations.n;
	return numbering->index[slot] - 1;
}

static uint32_t number_pointer(struct numbering *numbering, struct classes *classes,
			       const struct destination *to)
{
	size_t slot = XXH3_64bits(&to, sizeof to) & (numbering->room - 1);

	for (; numbering->known[slot].to; slot = (slot + 1) & (numbering->room - 1))
		if (numbering->known[slot].to == to)
			return numbering->known[slot].id;
	numbering->known[slot].to = to;
	numbering->known[slot].id = number_content(numbering, classes, to);
	return numbering->known[slot].id;
}

/* Give every distinct destination an id. */
static void number_destinations(const struct model *model, struct classes *classes)
{
	struct numbering numbering = { .room = 64 };
	size_t n = 0;

	for (size_t i = 0; i < model->rules.n; i++)
		n += model->rules.at[i].to != NULL;
	while (numbering.room < n * 2)
		numbering.room *= 2;
	numbering.index = mem_zero(numbering.room, sizeof *numbering.index);
	numbering.known = mem_zero(numbering.room, sizeof *numbering.known);
	classes->of_rule = mem_zero(model->rules.n, sizeof *classes->of_rule);
	for (size_t i = 0; i < model->rules.n; i++) {
		const struct destination *to = model->rules.at[i].to;

		classes->of_rule[i] = to ? number_pointer(&numbering, classes, to) : NO_INDEX;
	}
	free(numbering.index);
	free(numbering.known);
}

/* A `to` prefix as sorted: octets, length in bits, then whose it is. */
struct place { uint8_t octet[16], bits, pad[3]; uint32_t destination; };

struct places { struct place *at; size_t n, room; };

static void gather_places(const struct classes *classes, enum family family, struct places *ret)
{
	for (uint32_t id = 0; id < classes->destinations.n; id++) {
		const struct destination *to = classes->destinations.at[id];

		for (uint32_t i = 0; i < to->n_prefixes; i++) {
			struct place place = { .bits = to->prefixes[i].bits, .destination = id };

			if (ip_family(&to->prefixes[i].ip) != family)
				continue;
			put_ip(place.octet, &to->prefixes[i].ip);
			PUSH(ret, place);
		}
	}
	plan_rows_sort((uint8_t *)ret->at, ret->n, sizeof *ret->at, sizeof ret->at->octet + 1);
}

struct flat {					/* the address sweep of one family */
	struct plan *plan;
	struct classes *classes;
	enum family family;
	struct { unsigned __int128 last; uint32_t label; } open[130];	/* prefixes around here */
	size_t depth;
	unsigned __int128 at;			/* the first address without a range so far */
	bool full;				/* the very last address has its range */
};

static void flat_emit(struct flat *flat, unsigned __int128 last, uint32_t label)
{
	enum set_id set = flat->family == FAMILY_IPV4 ? SET_TO4 : SET_TO6;
	const struct set_shape *shape = &plan_shapes[set];
	struct rows *rows = &flat->plan->sets[set];
	size_t len = shape->key_len;
	uint8_t before[16], *row = NULL;

	if (flat->full || last < flat->at)
		return;
	put_place(before, flat->at - 1, len);
	if (rows->n > 0)
		row = rows->at + (rows->n - 1) * shape->row_len;
	if (!row || get_host32(row + 2 * len) != label || memcmp(row + len, before, len) != 0) {
		row = plan_rows_add(flat->plan, set);
		put_host32(put_place(row, flat->at, len) + len, label);
	}
	put_place(row + len, last, len);
	flat->at = last + 1;
	flat->full = flat->at == 0;
}

/* Close the prefixes that end before @first. */
static void flat_close(struct flat *flat, bool all, unsigned __int128 first)
{
	while (flat->depth > 0 && (all || flat->open[flat->depth - 1].last < first)) {
		flat->depth--;
		flat_emit(flat, flat->open[flat->depth].last, flat->open[flat->depth].label);
	}
}

/* Open one prefix, which the @n destinations at @place have in common. */
static void flat_open(struct flat *flat, const struct place *place, size_t n, struct ids spare[2])
{
	struct prefix prefix = { .bits = place->bits };
	struct idset around = { NULL, 0 };

	prefix.ip.len = flat->family == FAMILY_IPV4 ? 4 : 16;
	memcpy(prefix.ip.octet, place->octet, prefix.ip.len);
	struct span span = prefix_span(&prefix);

	flat_close(flat, false, span.first);
	if (flat->depth > 0) {
		uint32_t label = flat->open[flat->depth - 1].label;

		around = plan_idsets_get(&flat->classes->labels, label);
		if (span.first > flat->at)
			flat_emit(flat, span.first - 1, label);
	}
	spare[0].n = 0;
	for (size_t i = 0; i < n; i++)		/* ascending, for the sort is stable */
		PUSH(&spare[0], place[i].destination);
	plan_idsets_unite(&spare[1], around, (struct idset){ spare[0].at, spare[0].n });
	flat->at = span.first;
	flat->open[flat->depth].last = span.last;
	flat->open[flat->depth++].label =
		plan_idsets_number(&flat->classes->labels, spare[1].at, spare[1].n);
}

static int flatten(struct plan *plan, struct classes *classes, enum family family)
{
	struct flat flat = { .plan = plan, .classes = classes, .family = family };
	struct ids spare[2] = { 0 };
	struct places places = { 0 };
	int r = 0;

	gather_places(classes, family, &places);
	for (size_t i = 0, next; i < places.n && r == 0; i = next) {
		for (next = i + 1; next < places.n; next++)
			if (memcmp(&places.at[i], &places.at[next], 17) != 0)
				break;
		flat_open(&flat, &places.at[i], next - i, spare);
		if (classes->labels.pool.n > PLAN_ROWS_MAX)
			r = -E2BIG;
	}
	flat_close(&flat, true, 0);
	free(places.at);
	free(spare[0].at);
	free(spare[1].at);
	return r;
}

/* Which families have an address of each label. */
static void note_label_families(const struct plan *plan, struct classes *classes)
{
	classes->label_families = mem_zero(classes->labels.starts.n + 1, 1);
	classes->label_families[0] = 1u << FAMILY_IPV4 | 1u << FAMILY_IPV6;
	for (int f = 0; f < FAMILIES; f++) {
		enum set_id set = f == FAMILY_IPV4 ? SET_TO4 : SET_TO6;
		const struct set_shape *shape = &plan_shapes[set];

		for (size_t i = 0; i < plan->sets[set].n; i++) {
			const uint8_t *row = plan->sets[set].at + i * shape->row_len;

			classes->label_families[get_host32(row_value(shape, row))] |=
				(uint8_t)(1u << f);
		}
	}
}

int plan_labels_build(const struct model *model, struct plan *plan, struct classes *classes)
{
	int r;

	number_destinations(model, classes);
	r = flatten(plan, classes, FAMILY_IPV4);
	if (r == 0)
		r = flatten(plan, classes, FAMILY_IPV6);
	if (r == 0)
		note_label_families(plan, classes);
	return r;
}
