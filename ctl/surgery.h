/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edits of a text that leave alone what they do not touch: statements cut out, replaced, appended.
 * The result is kept as runs of whole lines, from which both the new text and a diff are made.
 */
#pragma once

#include "base/own.h"

#include <stdio.h>

struct edit {
	size_t start, end;			/* what is replaced, in bytes */
	const char *text; /* borrowed; NULL or "": cut out, and the line with it
						 * if nothing is left on it */
};

struct edits { struct edit *at; size_t n, room; };

struct hunk {					/* whole lines that are replaced */
	size_t start, end;
	char *text;				/* malloc'd */
};

struct hunks { struct hunk *at; size_t n, room; };	/* in order, apart from each other */

void surgery_drop(struct hunks *hunks);

/* Do @edits, which must not overlap and are sorted here. Line ends of what is put in become those
 * that @text has. */
void surgery_cut(const char *text, size_t len, struct edits *edits, struct hunks *ret);

/* The new text, malloc'd, NUL-terminated. */
char *surgery_result(const char *text, size_t len, const struct hunks *hunks, size_t *ret_len);

/* The difference as diff -u prints it, with three lines around. */
void surgery_print(const char *path, const char *text, size_t len, const struct hunks *hunks,
		   FILE *out);
