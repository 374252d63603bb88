/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside plan/ only: small sorted sets of ids, each kept once and known by a number from 1 (0 is
 * the empty set). What destinations cover an address, or match a packet, is such a set.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ids { uint32_t *at; size_t n, room; };

struct idsets {
	struct ids pool;			/* all sets end to end; set i starts at starts.at[i - 1] */
	struct { size_t *at; size_t n, room; } starts;
	uint32_t *index;			/* hash: number of a set, 0 = free */
	size_t index_room;
};

struct idset { const uint32_t *at; size_t n; };		/* borrowed until the next number */

void plan_idsets_drop(struct idsets *sets);

/* Number of the set of the @n ascending ids at @ids, which must not lie in @sets. */
uint32_t plan_idsets_number(struct idsets *sets, const uint32_t *ids, size_t n);
struct idset plan_idsets_get(const struct idsets *sets, uint32_t number);

/* Enter or remove one id; the array stays ascending. Nothing happens if it is (not) there. */
void plan_idsets_enter(struct ids *ids, uint32_t id);
void plan_idsets_leave(struct ids *ids, uint32_t id);

/* @out becomes the union of the ascending @a and @b; both must lie elsewhere. */
void plan_idsets_unite(struct ids *out, struct idset a, struct idset b);
