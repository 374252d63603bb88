/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where statements begin and end in a text of the configuration language, so that one can be cut
 * out and the rest stays as its author wrote it. Knows words, quotes, comments and braces, and no
 * statement by name.
 */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stdint.h>

#define PIECES_NONE	UINT32_MAX

struct piece {					/* offsets in bytes */
	size_t start, end;			/* from its first word to after its `;` or `}` */
	size_t word_end;			/* of its first word */
	uint32_t parent;			/* the block that it stands in, or PIECES_NONE */
};

struct pieces { struct piece *at; size_t n, room; };	/* in order of start */

void pieces_drop(struct pieces *pieces);

/*
 * pieces_read - find the statements of @text, and those in their blocks; deeper ones are not listed
 * @ret: the caller drops it in either case
 * Returns 0, or -EINVAL for braces, quotes or statements that do not end.
 */
MUST_CHECK int pieces_read(const char *text, size_t len, struct pieces *ret);

/* The innermost piece around the byte at @offset, or PIECES_NONE. */
uint32_t pieces_find(const struct pieces *pieces, size_t offset);

/* The first word of a piece is @word. */
bool pieces_is(const char *text, const struct piece *piece, const char *word);
