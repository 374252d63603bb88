/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replies, read from whom we do not trust and written to whom we promise something. A reply is whole or it is
 * an error; what is passed on is text without control characters, so that it stays one reply.
 */
#include "smtp/reply.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

void reply_drop(struct reply *reply)
{
	buffer_drop(&reply->text);
	reply->code = 0;
}

struct reply reply_take(struct reply *reply)
{
	struct reply out = *reply;

	*reply = (struct reply){ 0 };
	return out;
}

struct reply reply_copy(const struct reply *reply)
{
	struct reply out = { .code = reply->code };

	buffer_put(&out.text, buffer_bytes(&reply->text), buffer_len(&reply->text));
	return out;
}

/* Control characters become '?', but for tabs; bytes above 0x7f stay (RFC 6531 section 3.7.4.2). */
static void put_clean(struct buffer *out, const char *at, size_t n)
{
	size_t begin = buffer_len(out);

	buffer_put(out, at, n);
	for (size_t i = begin; i < begin + n; i++) {
		uint8_t *c = out->at + out->begin + i;

		if ((*c < 0x20 && *c != '\t') || *c == 0x7f)
			*c = '?';
	}
}

struct reply reply_make(int code, const char *format, ...)
{
	struct reply reply = { .code = code };
	va_list arguments;
	char *text = NULL;
	int n;

	va_start(arguments, format);
	n = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (n < 0)
		abort();		/* no memory: formats are ours */
	put_clean(&reply.text, text, (size_t)n < 900 ? (size_t)n : 900);
	free(text);
	return reply;
}

const char *reply_first(const struct reply *reply, char *out, size_t room)
{
	const char *at = (const char *)buffer_bytes(&reply->text);
	size_t len = buffer_len(&reply->text);
	const char *end = len ? memchr(at, '\n', len) : NULL;

	if (end)
		len = (size_t)(end - at);
	if (len >= room)
		len = room - 1;
	if (len > 0)
		memcpy(out, at, len);
	out[len] = '\0';
	return out;
}

void reply_print(const struct reply *reply, struct buffer *out)
{
	const char *at = (const char *)buffer_bytes(&reply->text);
	size_t left = buffer_len(&reply->text);

	for (;;) {
		const char *end = left ? memchr(at, '\n', left) : NULL;
		size_t len = end ? (size_t)(end - at) : left;

		char code[4] = { (char)('0' + reply->code / 100 % 10),
				 (char)('0' + reply->code / 10 % 10),
				 (char)('0' + reply->code % 10), end ? '-' : ' ' };

		buffer_put(out, code, sizeof code);
		buffer_put(out, at, len);
		buffer_put(out, "\r\n", 2);
		if (!end)
			return;
		at = end + 1;
		left -= len + 1;
	}
}

void reply_reader_init(struct reply_reader *reader)
{
	*reader = (struct reply_reader){ .lines = { .max = REPLY_LINE_MAX } };
}

void reply_reader_drop(struct reply_reader *reader)
{
	line_reader_drop(&reader->lines);
	reply_drop(&reader->part);
}

/* The code at the start of a line and what separates it from its text; false if there is none. */
static bool read_code(struct text line, int *ret_code, char *ret_separator)
{
	static const char first[] = "2345", second[] = "012345";
	const char *at = line.at;

	if (line.len < 3 || !at[0] || !strchr(first, at[0]) || !at[1] || !strchr(second, at[1]) ||
	    at[2] < '0' || at[2] > '9')
		return false;
	*ret_separator = line.len == 3 ? ' ' : at[3];
	*ret_code = (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
	return *ret_separator == ' ' || *ret_separator == '-';
}

/* Add a line: 1 if it was the last one of the reply. */
static int add_line(struct reply_reader *reader, struct text line)
{
	size_t skip = line.len > 3 ? 4 : 3;
	char separator;
	int code;

	if (!read_code(line, &code, &separator) ||
	    (reader->n_lines > 0 && code != reader->part.code))
		return -EBADMSG;
	if (++reader->n_lines > REPLY_LINES_MAX ||
	    buffer_len(&reader->part.text) + line.len > REPLY_TEXT_MAX)
		return -EMSGSIZE;
	if (reader->n_lines > 1)
		buffer_put(&reader->part.text, "\n", 1);
	reader->part.code = code;
	put_clean(&reader->part.text, line.at + skip, line.len - skip);
	return separator == ' ';
}

int reply_next(struct reply_reader *reader, const uint8_t **at, size_t *n, struct reply *ret)
{
	struct text line;

	for (;;) {
		int r;

		switch (line_next(&reader->lines, at, n, &line)) {
		case LINE_MORE:
			return 0;
		case LINE_BARE:
			return -EBADMSG;
		case LINE_LONG:
			return -EMSGSIZE;
		case LINE_GOOD:
			break;
		}
		r = add_line(reader, line);
		if (r < 0)
			return r;
		if (r == 1) {
			*ret = reply_take(&reader->part);
			reader->n_lines = 0;
			return 1;
		}
	}
}
