/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a message on the wire: RFC 5321 sections 2.3.8 and 4.5.2. Decoding takes the dots away and finds
 * the end, encoding puts dots where they belong now: stuffed bytes are never copied, so a relay cannot
 * be used to smuggle a second message (CVE-2023-51764 and its kin). Only CRLF ends a line, only
 * CRLF.CRLF ends the text. NUL is passed and counted.
 */
#pragma once

#include "smtp/line.h"

enum body_event {
	BODY_MORE,				/* all bytes were taken */
	BODY_PIECE,				/* some content */
	BODY_END,				/* the final dot; bytes behind it are left */
};

struct body_decoder {				/* zero but for @normalise is at the start of a text */
	bool normalise;				/* bare LF becomes CRLF, and a bare CR too */
	bool bare;				/* there was a bare CR or LF (with normalise: it was mended) */
	uint64_t n_nul, n_content;		/* octets */
	unsigned state;
};

/*
 * body_decode - content from stuffed bytes
 * @at, @n:    moved behind what was taken
 * @ret_piece: for BODY_PIECE; points into the input or to constants. Ends before a dot that begins a line
 *
 * Without normalise, bare CR and LF are content, and @bare is set: the caller goes on to the true end
 * and refuses the message. Linear; the same content and the same end however the input is split.
 */
enum body_event body_decode(struct body_decoder *decoder, const uint8_t **at, size_t *n,
			    struct text *ret_piece);

struct body_encoder { unsigned state; };	/* zero is the start of a text */

/* Put content, dots stuffed, into @out. */
void body_encode(struct body_encoder *encoder, struct text piece, struct buffer *out);
/* The same for a piece as body_decode() gives them: no line within it, but for its first, begins with a dot. */
void body_encode_run(struct body_encoder *encoder, struct text piece, struct buffer *out);
/* Put the end: CRLF if the content did not end with one, ".", CRLF. Then the encoder is fresh again. */
void body_encode_end(struct body_encoder *encoder, struct buffer *out);
