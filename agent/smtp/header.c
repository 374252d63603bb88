/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header block, line by line. A line is held until it is whole, or longer than any field name
 * needs: then it streams. Continuation lines (RFC 5322 section 2.2.3) share the fate of their field.
 */
#include "smtp/header.h"

#include <string.h>
#include <strings.h>

enum { LINE_HELD = 2048 };			/* octets of a line that are looked at */

enum header_state {
	FIELD_PASS = 1 << 0,			/* continuation lines pass */
	FIELD_TAKE = 1 << 1,			/* continuation lines are taken */
	FIELD_RECEIVED = 1 << 2,
	LINE_LONG_TAIL = 1 << 3,		/* the rest of a line that was given up holding */
	FIELD_SELF = 1 << 4,			/* this Received was counted as ours */
};

void header_scan_drop(struct header_scan *scan)
{
	buffer_drop(&scan->line);
}

/* Length of the field name at the start of a line, 0 if it begins with none: RFC 5322 section 2.2. */
static size_t name_length(const char *at, size_t n)
{
	size_t i = 0, len;

	while (i < n && at[i] > ' ' && at[i] < 0x7f && at[i] != ':')
		i++;
	len = i;
	while (i < n && (at[i] == ' ' || at[i] == '\t'))
		i++;				/* obsolete: blanks before the colon, section 4.5 */
	return i < n && at[i] == ':' ? len : 0;
}

static bool name_is(const char *at, size_t len, const char *name)
{
	return name && strlen(name) == len && strncasecmp(at, name, len) == 0;
}

/* Append to the value that is kept, blanks trimmed at both ends and folded to one. */
static void keep_value(struct header_scan *scan, const char *at, size_t n)
{
	size_t len = strlen(scan->value);

	for (size_t i = 0; i < n && len + 1 < sizeof scan->value; i++) {
		bool blank = at[i] == ' ' || at[i] == '\t' || at[i] == '\r' || at[i] == '\n';

		if (blank && (len == 0 || scan->value[len - 1] == ' '))
			continue;
		scan->value[len++] = blank || at[i] == '\0' ? ' ' : at[i];
	}
	scan->value[len] = '\0';
}

static void trim_value(struct header_scan *scan)
{
	size_t len = strlen(scan->value);

	if (len > 0 && scan->value[len - 1] == ' ')
		scan->value[len - 1] = '\0';
}

/* " by NAME" as a word, in a line of a Received field. */
static bool names_self(const char *at, size_t n, const char *self)
{
	size_t len = self ? strlen(self) : 0;

	for (const char *found = at; len > 0; found++) {
		size_t left = n - (size_t)(found - at);

		found = memmem(found, left, "by ", 3);
		if (!found)
			return false;
		left = n - (size_t)(found - at) - 3;
		if ((found == at || found[-1] == ' ' || found[-1] == '\t') && left >= len &&
		    strncasecmp(found + 3, self, len) == 0 &&
		    (left == len || strchr(" \t\r\n;(", found[3 + len])))
			return true;
	}
	return false;
}

static void begin_field(struct header_scan *scan, const char *at, size_t n, size_t name)
{
	const char *colon = memchr(at, ':', n);

	scan->state = FIELD_PASS;
	if (name_is(at, name, "Received")) {
		scan->n_received++;
		scan->state |= FIELD_RECEIVED;
	} else if (name_is(at, name, scan->take)) {
		scan->state = FIELD_TAKE;
		if (scan->n_taken++ == 0)
			keep_value(scan, colon + 1, n - (size_t)(colon + 1 - at));
	}
}

static void end_block(struct header_scan *scan)
{
	scan->over = true;
	trim_value(scan);
}

/* A line that is whole (with its CRLF), or the start of one that is too long to be held. */
static void take_line(struct header_scan *scan, const char *at, size_t n, struct buffer *out)
{
	bool folded = n > 0 && (at[0] == ' ' || at[0] == '\t');
	size_t name = folded ? 0 : name_length(at, n);

	if (folded && scan->state & FIELD_TAKE) {
		if (scan->n_taken == 1)
			keep_value(scan, at, n);
		return;
	}
	if (name > 0)
		begin_field(scan, at, n, name);
	else if (!folded || scan->state == 0)
		end_block(scan);
	if (!scan->over && (scan->state & (FIELD_RECEIVED | FIELD_SELF)) == FIELD_RECEIVED &&
	    names_self(at, n, scan->self)) {
		scan->n_self++;
		scan->state |= FIELD_SELF;
	}
	if (scan->over || !(scan->state & FIELD_TAKE))
		buffer_put(out, at, n);
}

static void take_held(struct header_scan *scan, struct buffer *out)
{
	take_line(scan, (const char *)buffer_bytes(&scan->line), buffer_len(&scan->line), out);
	buffer_take(&scan->line, buffer_len(&scan->line));
}

/* One line, or what there is of it; returns the octets used. */
static size_t feed_line(struct header_scan *scan, const char *at, size_t n, struct buffer *out)
{
	const char *lf = memchr(at, '\n', n);
	size_t len = lf ? (size_t)(lf - at) + 1 : n;

	if (scan->state & LINE_LONG_TAIL) {
		if (!(scan->state & FIELD_TAKE))
			buffer_put(out, at, len);
		if (lf)
			scan->state &= ~(unsigned)LINE_LONG_TAIL;
		return len;
	}
	if (lf && buffer_len(&scan->line) == 0) {
		take_line(scan, at, len, out);
		return len;
	}
	buffer_put(&scan->line, at, len);
	if (lf) {
		take_held(scan, out);
	} else if (buffer_len(&scan->line) > LINE_HELD) {
		take_held(scan, out);
		scan->state |= LINE_LONG_TAIL;
	}
	return len;
}

size_t header_feed(struct header_scan *scan, struct text content, struct buffer *out)
{
	size_t used = 0;

	while (used < content.len && !scan->over)
		used += feed_line(scan, content.at + used, content.len - used, out);
	if (buffer_len(out) > HEADER_MAX_BYTES && !scan->over) {
		scan->too_long = true;		/* the caller feeds no more: what is held passes as it is */
		buffer_put(out, buffer_bytes(&scan->line), buffer_len(&scan->line));
		buffer_drop(&scan->line);
	}
	return used;
}

void header_finish(struct header_scan *scan, struct buffer *out)
{
	if (scan->over)
		return;
	if (buffer_len(&scan->line) > 0)
		take_held(scan, out);
	end_block(scan);
}
