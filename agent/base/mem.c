/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See mem.h. Kept apart from arena.c: these blocks are resized or freed one by one. */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *mem_zero(size_t n, size_t size)
{
	void *at = calloc(n ? n : 1, size ? size : 1);

	if (!at)
		abort();
	return at;
}

void *mem_grow(void *at, size_t *room, size_t need, size_t size)
{
	size_t want = *room + *room / 2;

	if (need <= *room)
		return at;
	if (want < need)
		want = need;
	if (want < 8)
		want = 8;
	if (want > SIZE_MAX / size)
		abort();
	at = realloc(at, want * size);
	if (!at)
		abort();
	*room = want;
	return at;
}

char *mem_text(const char *text, size_t len)
{
	char *copy = mem_zero(len + 1, 1);

	memcpy(copy, text, len);
	return copy;
}

char *mem_copy(const char *text)
{
	return text ? mem_text(text, strlen(text)) : NULL;
}
