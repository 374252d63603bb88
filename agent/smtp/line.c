/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines from a stream. A line that came whole is lent from the input itself; only one that is torn is
 * kept. Of a line that is too long nothing is kept but that it is: it ends at its CRLF as any other.
 */
#include "smtp/line.h"

#include <string.h>
#include <strings.h>

bool text_is(struct text text, const char *name)
{
	return text.len == strlen(name) && strncasecmp(text.at, name, text.len) == 0;
}

bool text_number(struct text text, uint64_t *ret)
{
	uint64_t value = 0;

	if (text.len == 0 || text.len > 18)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text.at[i] - '0');
	}
	*ret = value;
	return true;
}

void line_reader_drop(struct line_reader *reader)
{
	buffer_drop(&reader->kept);
}

/* The first LF that ends a line: the one behind a CR. @n_to: octets up to and with it; 0: none. */
static size_t find_end(const uint8_t *at, size_t n, bool after_cr)
{
	const uint8_t *from = at;

	for (;;) {
		const uint8_t *lf = memchr(from, '\n', n - (size_t)(from - at));

		if (!lf)
			return 0;
		if (lf == at ? after_cr : lf[-1] == '\r')
			return (size_t)(lf - at) + 1;
		from = lf + 1;
	}
}

/* Is there a CR, LF or NUL in a line without its CRLF? */
static bool has_bare(const uint8_t *at, size_t n)
{
	return n > 0 && (memchr(at, '\r', n) || memchr(at, '\n', n) || memchr(at, '\0', n));
}

static void keep(struct line_reader *reader, const uint8_t *at, size_t n)
{
	if (n > 0)
		reader->after_cr = at[n - 1] == '\r';
	if (reader->long_line || buffer_len(&reader->kept) + n > reader->max) {
		reader->long_line = true;
		buffer_take(&reader->kept, buffer_len(&reader->kept));
		return;
	}
	buffer_put(&reader->kept, at, n);
}

enum line_event line_next(struct line_reader *reader, const uint8_t **at, size_t *n,
			  struct text *ret_line)
{
	const uint8_t *line = *at;
	size_t len;

	if (reader->given) {
		buffer_take(&reader->kept, buffer_len(&reader->kept));
		reader->given = false;
	}
	if (*n == 0)
		return LINE_MORE;
	len = find_end(*at, *n, reader->after_cr);
	if (len == 0) {
		keep(reader, *at, *n);
		*at += *n;
		*n = 0;
		return LINE_MORE;
	}
	*at += len;
	*n -= len;
	if (reader->long_line || buffer_len(&reader->kept) > 0) {
		keep(reader, line, len);
		line = buffer_bytes(&reader->kept);
		len = buffer_len(&reader->kept);
	}
	reader->after_cr = false;
	reader->given = true;
	if (reader->long_line || len > reader->max) {
		reader->long_line = false;
		return LINE_LONG;
	}
	*ret_line = (struct text){ (const char *)line, len - 2 };
	return has_bare(line, len - 2) ? LINE_BARE : LINE_GOOD;
}
