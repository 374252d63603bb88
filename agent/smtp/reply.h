/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replies of a server, which is not trusted: RFC 5321 section 4.2. Lines and their number are bounded, what
 * is not a reply is a protocol error, and text that is passed on has lost its control characters, so that
 * nobody can put a second reply into ours.
 */
#pragma once

#include "smtp/line.h"

enum { REPLY_LINE_MAX = 2048, REPLY_LINES_MAX = 100, REPLY_TEXT_MAX = 16 * 1024 };

struct reply {					/* zero is none */
	int code;				/* 200..599; 0: none */
	struct buffer text;			/* lines without code and separator, joined by '\n' */
};

void reply_drop(struct reply *reply);
struct reply reply_take(struct reply *reply);
struct reply reply_copy(const struct reply *reply);

/* One of our own. */
struct reply reply_make(int code, const char *format, ...) PRINTF(2, 3);

/* First line without code, as a NUL-terminated text of at most @room bytes, for logs; returns @out. */
const char *reply_first(const struct reply *reply, char *out, size_t room);

/* As it goes to a client: "250-...\r\n250 ...\r\n". */
void reply_print(const struct reply *reply, struct buffer *out);

struct reply_reader {
	struct line_reader lines;		/* max is set by reply_reader_init */
	struct reply part;			/* of a reply that is not whole yet */
	size_t n_lines;
};

void reply_reader_init(struct reply_reader *reader);
void reply_reader_drop(struct reply_reader *reader);

/*
 * reply_next - take bytes up to the end of the next reply
 * Returns 1 with *@ret (owned), 0 if more bytes are needed, -EBADMSG for what is no reply (code,
 * separator, codes that differ within one, a bare CR or LF), -EMSGSIZE for one that is too long.
 */
MUST_CHECK int reply_next(struct reply_reader *reader, const uint8_t **at, size_t *n,
			  struct reply *ret);
