/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of 64 KiB in a chain, filled from the front; a request larger than a block gets its own.
 * Memory comes zeroed from calloc(3), so large untouched parts cost no pages.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_ROOM = 64 * 1024 };

struct arena_block {
	struct arena_block *before;
	size_t room, used;
	alignas(max_align_t) uint8_t bytes[];
};

static void *take(struct arena *arena, size_t size, size_t align)
{
	struct arena_block *block = arena->last;
	size_t start = block ? (block->used + align - 1) & ~(align - 1) : 0;

	if (!block || start > block->room || size > block->room - start) {
		size_t room = size > BLOCK_ROOM ? size : BLOCK_ROOM;

		if (size > SIZE_MAX - sizeof *block)
			abort();
		block = calloc(1, sizeof *block + room);
		if (!block)
			abort();
		block->room = room;
		block->before = arena->last;
		arena->last = block;
		start = 0;
	}
	block->used = start + size;
	arena->used += size;
	return block->bytes + start;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	return take(arena, size, alignof(max_align_t));
}

const char *arena_text(struct arena *arena, const char *text, size_t len)
{
	char *copy = take(arena, len + 1, 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void arena_drop(struct arena *arena)
{
	for (struct arena_block *block = arena->last, *before; block; block = before) {
		before = block->before;
		free(block);
	}
	*arena = (struct arena){ 0 };
}
