/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header block of a message as it streams by (RFC 5322 section 2.2): counts Received fields and those
 * that name ourselves, for loops (RFC 5321 section 6.3); takes one field out and keeps its value.
 * Everything else passes octet by octet, in order, whatever it looks like.
 */
#pragma once

#include "smtp/line.h"

enum { HEADER_MAX_BYTES = 256 * 1024, HEADER_VALUE_MAX = 64 };

struct header_scan {
	const char *take;			/* name of the field to take out, or NULL */
	const char *self;			/* host name: a Received "by" it is a pass through here */
	unsigned n_received, n_self;
	bool over;				/* the block has ended; content passes as it is */
	bool too_long;				/* more than HEADER_MAX_BYTES, or there was no end of it */
	unsigned n_taken;			/* how many of that field there were */
	char value[HEADER_VALUE_MAX];		/* of the first, unfolded, blanks trimmed; cut to fit */
	struct buffer line;			/* the line that is being read */
	unsigned state;
};

void header_scan_drop(struct header_scan *scan);

/*
 * header_feed - take content in, up to the end of the block; what passes is appended to @out
 * The block ends with an empty line, with a line that is no field and continues none, or at the end of
 * the text: header_finish. Returns how many octets were taken: all of them unless it is `over` now.
 * Once it is `over` or `too_long` nothing is held any more, and it must not be called again.
 */
size_t header_feed(struct header_scan *scan, struct text content, struct buffer *out);
void header_finish(struct header_scan *scan, struct buffer *out);
