/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open addressing with linear steps, at most half full. Slots keep the hash, so growing needs no
 * look at the items. Nothing is ever taken out: an index lives as long as one reading does.
 */
#include "model/index.h"

#include "base/mem.h"

#include <xxhash.h>

void index_drop(struct index *index)
{
	free(index->slots);
	*index = (struct index){ 0 };
}

static void place(struct index *index, struct index_slot slot)
{
	size_t i = slot.hash & (index->room - 1);

	while (index->slots[i].item)
		i = (i + 1) & (index->room - 1);
	index->slots[i] = slot;
}

static void grow(struct index *index)
{
	struct index old = *index;

	index->room = old.room ? old.room * 2 : 64;
	index->slots = mem_zero(index->room, sizeof *index->slots);
	for (size_t i = 0; i < old.room; i++)
		if (old.slots[i].item)
			place(index, old.slots[i]);
	free(old.slots);
}

void index_add(struct index *index, uint32_t hash, uint32_t item)
{
	if (index->n + 1 > index->room / 2)
		grow(index);
	place(index, (struct index_slot){ hash, item + 1 });
	index->n++;
}

uint32_t index_next(const struct index *index, uint32_t hash, size_t *step)
{
	for (; *step < index->room; ++*step) {
		const struct index_slot *slot = &index->slots[(hash + *step) & (index->room - 1)];

		if (!slot->item)
			break;
		if (slot->hash == hash) {
			++*step;
			return slot->item - 1;
		}
	}
	return UINT32_MAX;
}

uint32_t index_hash(const void *bytes, size_t len)
{
	return (uint32_t)XXH3_64bits(bytes, len);
}
