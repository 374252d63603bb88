/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See plan_idsets.h. Memory is the sum of the sizes of the distinct sets; the caller bounds it. */
#include "plan/plan_idsets.h"

#include "base/mem.h"
#include "base/own.h"

#include <string.h>
#include <xxhash.h>

void plan_idsets_drop(struct idsets *sets)
{
	free(sets->pool.at);
	free(sets->starts.at);
	free(sets->index);
	*sets = (struct idsets){ 0 };
}

struct idset plan_idsets_get(const struct idsets *sets, uint32_t number)
{
	size_t start, end;

	if (number == 0)
		return (struct idset){ NULL, 0 };
	start = sets->starts.at[number - 1];
	end = number == sets->starts.n ? sets->pool.n : sets->starts.at[number];
	return (struct idset){ sets->pool.at + start, end - start };
}

static size_t slot_of(const struct idsets *sets, const uint32_t *ids, size_t n)
{
	size_t slot = XXH3_64bits(ids, n * sizeof *ids) & (sets->index_room - 1);

	for (; sets->index[slot] != 0; slot = (slot + 1) & (sets->index_room - 1)) {
		struct idset there = plan_idsets_get(sets, sets->index[slot]);

		if (there.n == n && memcmp(there.at, ids, n * sizeof *ids) == 0)
			break;
	}
	return slot;
}

static void grow_index(struct idsets *sets)
{
	if (sets->index && sets->starts.n * 2 < sets->index_room)
		return;
	free(sets->index);
	sets->index_room = sets->index_room ? sets->index_room * 2 : 64;
	sets->index = mem_zero(sets->index_room, sizeof *sets->index);
	for (uint32_t number = 1; number <= sets->starts.n; number++) {
		struct idset set = plan_idsets_get(sets, number);

		sets->index[slot_of(sets, set.at, set.n)] = number;
	}
}

uint32_t plan_idsets_number(struct idsets *sets, const uint32_t *ids, size_t n)
{
	size_t slot;

	if (n == 0)
		return 0;
	grow_index(sets);
	slot = slot_of(sets, ids, n);
	if (sets->index[slot] != 0)
		return sets->index[slot];
	PUSH(&sets->starts, sets->pool.n);
	sets->pool.at = mem_grow(sets->pool.at, &sets->pool.room, sets->pool.n + n, sizeof *ids);
	memcpy(sets->pool.at + sets->pool.n, ids, n * sizeof *ids);
	sets->pool.n += n;
	return sets->index[slot] = (uint32_t)sets->starts.n;
}

/* Where @id is, or would be. */
static size_t place_of(const struct ids *ids, uint32_t id)
{
	size_t low = 0, high = ids->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ids->at[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void plan_idsets_enter(struct ids *ids, uint32_t id)
{
	size_t at = place_of(ids, id);

	if (at < ids->n && ids->at[at] == id)
		return;
	ids->at = mem_grow(ids->at, &ids->room, ids->n + 1, sizeof *ids->at);
	memmove(ids->at + at + 1, ids->at + at, (ids->n - at) * sizeof *ids->at);
	ids->at[at] = id;
	ids->n++;
}

void plan_idsets_leave(struct ids *ids, uint32_t id)
{
	size_t at = place_of(ids, id);

	if (at == ids->n || ids->at[at] != id)
		return;
	ids->n--;
	memmove(ids->at + at, ids->at + at + 1, (ids->n - at) * sizeof *ids->at);
}

void plan_idsets_unite(struct ids *out, struct idset a, struct idset b)
{
	size_t i = 0, j = 0;

	out->n = 0;
	out->at = mem_grow(out->at, &out->room, a.n + b.n, sizeof *out->at);
	while (i < a.n || j < b.n) {
		if (j == b.n || (i < a.n && a.at[i] < b.at[j])) {
			out->at[out->n++] = a.at[i++];
			continue;
		}
		if (i < a.n && a.at[i] == b.at[j])
			i++;
		out->at[out->n++] = b.at[j++];
	}
}
