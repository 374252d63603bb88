/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of a terminal's width, to the column: text that is cut and filled up, numbers that fit, and
 * graphs of a character a value. Pure. Needs a UTF-8 locale for widths, also to write plain ASCII.
 */
#pragma once

#include "table.h"

#include <stdbool.h>
#include <stddef.h>

enum top_style { TOP_PLAIN, TOP_TITLE, TOP_HEAD, TOP_SORTED, TOP_CHOSEN, TOP_GOOD, TOP_BAD,
		 TOP_DIM };
enum { TOP_LINE_BYTES = 2048, TOP_SPANS = 12, TOP_NUMBER = 16, TOP_WIDTH_MAX = 400 };

struct top_span {				/* of a line, in bytes; up to where the next one begins */
	size_t at;
	enum top_style style;
};

struct top_line {				/* zero but for @ascii: empty */
	bool ascii;				/* nothing else is written */
	char text[TOP_LINE_BYTES];
	size_t len;
	struct top_span spans[TOP_SPANS];
	size_t n_spans;
};

/*
 * top_line_add - append @text in exactly @columns columns
 * Control characters and what is not UTF-8 are replaced (table_add()); what does not fit is cut, and
 * its last column says so; what is shorter is filled up with blanks.
 */
void top_line_add(struct top_line *line, const char *text, unsigned columns, enum align align,
		  enum top_style style);

/* "-" if negative, else at most five characters: "0", "0.4", "12345", "123k", "1.2M". */
const char *top_number(double value, char out[static TOP_NUMBER]);
/* The same in powers of 1024: "512", "1.5K", "20M". */
const char *top_bytes(double value, char out[static TOP_NUMBER]);
/* "-" if @of is 0, else "0.3%", "12%". */
const char *top_percent(double part, double of, char out[static TOP_NUMBER]);

/*
 * top_graph - the last @columns of @n values, a character each, the latest at the right
 * @values: oldest first; negative: not known, a blank
 *
 * Scaled so that the largest of them is the highest. Written to @out as UTF-8, or ASCII.
 */
void top_graph(const float *values, size_t n, unsigned columns, bool ascii, char *out, size_t room);
