/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pool for things that live and die together: a configuration generation is one arena, and
 * nothing in it is freed alone.
 */
#pragma once

#include <stddef.h>

struct arena_block;
struct arena {
	struct arena_block *last;
	size_t used;				/* bytes handed out, for memory figures */
};

/* @size zeroed bytes, aligned for any type; never NULL (abort(3) when there is no memory). */
void *arena_alloc(struct arena *arena, size_t size);

/* NUL-terminated copy of @len bytes; packed without alignment, since names come by the million. */
const char *arena_text(struct arena *arena, const char *text, size_t len);

/* Free everything at once and leave the arena empty and usable. */
void arena_drop(struct arena *arena);
