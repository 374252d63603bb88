/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of a dialogue, ended by CRLF and by nothing else (RFC 5321 section 2.3.8). A bare CR or LF
 * does not end a line: it is remembered and the line is delivered, marked, at its true end.
 */
#pragma once

#include "smtp/buffer.h"

enum line_event {
	LINE_MORE,				/* no whole line yet; all bytes are kept */
	LINE_GOOD,
	LINE_BARE,				/* a whole line, with a bare CR or LF, or a NUL, within */
	LINE_LONG,				/* a whole line above the limit; its text was dropped */
};

struct line_reader {				/* zero but for @max is a fresh one */
	size_t max;				/* bytes of a line with its CRLF */
	struct buffer kept;			/* of a line that is not whole yet */
	bool long_line, bare, after_cr, given;
};

struct text { const char *at; size_t len; };	/* borrowed, not NUL-terminated */

bool text_is(struct text text, const char *name);	/* the case of ASCII letters means nothing */
/* 1 to 18 decimal digits and nothing else, into *@ret: a size (RFC 1870 section 4) or a limit. */
bool text_number(struct text text, uint64_t *ret);

void line_reader_drop(struct line_reader *reader);

/*
 * line_next - take bytes up to the end of the next line
 * @at, @n:   the bytes that came; moved behind what was taken
 * @ret_line: for LINE_GOOD and LINE_BARE without its CRLF; good until the next call
 *
 * Linear in the bytes given, however they are split; keeps no more than @max bytes.
 */
enum line_event line_next(struct line_reader *reader, const uint8_t **at, size_t *n,
			  struct text *ret_line);
