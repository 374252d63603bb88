/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Aligned columns of text, for people. */
#pragma once

#include "base/arena.h"

#include <stdbool.h>
#include <stdio.h>

enum align { ALIGN_LEFT, ALIGN_RIGHT };

struct column {
	const char *title;			/* NULL in all columns: no line of titles */
	enum align align;
};

enum tint { TINT_PLAIN, TINT_GOOD, TINT_BAD, TINT_DIM };
enum { COLUMNS_MAX = 9 };

struct table {
	const struct column *columns;
	size_t n_columns;
	struct arena arena;			/* texts of the cells */
	struct { const char **at; size_t n, room; } cells;	/* row by row */
	struct { unsigned char *at; size_t n, room; } tints;
};

void table_drop(struct table *table);

/* Append a cell; rows fill from left to right. Control characters in @text become "\xNN", bytes
 * that are not UTF-8 become "?", so that no text can play tricks on the terminal. NULL is "". */
void table_add(struct table *table, const char *text, enum tint tint);
void table_add_format(struct table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Start a new row: fill up the one that is begun with empty cells. */
void table_end_row(struct table *table);

/*
 * table_print - all rows, columns two spaces apart, no spaces at line ends
 * @width: of the terminal: longer lines lose the end of their last cell; 0: nothing is cut
 * @color: use the cells' tints
 */
void table_print(struct table *table, FILE *out, unsigned width, bool color);

/* A copy of @text on which the same was done, to be freed by the caller. */
char *table_harmless(const char *text);

/* Bytes of @text that fit into @room columns; one column less, for "…", if something is cut. */
size_t table_fitting(const char *text, size_t room, bool *ret_cut);

/* Columns that @text takes on a terminal (wcwidth(3), in a UTF-8 locale). */
size_t table_text_width(const char *text);
