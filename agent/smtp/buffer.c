/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of octets in one block. Space that was taken from the front is used again before the block
 * grows, so a steady stream through a small buffer costs no allocation.
 */
#include "smtp/buffer.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { BUFFER_FIRST = 512, PRINT_GUESS = 64 };

void buffer_drop(struct buffer *buffer)
{
	free(buffer->at);
	*buffer = (struct buffer){ 0 };
}

/* Room for @n more octets behind the end. */
static void reserve(struct buffer *buffer, size_t n)
{
	size_t len = buffer_len(buffer);

	if (buffer->room - buffer->end >= n)
		return;
	if (buffer->begin >= len && buffer->room - len >= n) {
		memcpy(buffer->at, buffer->at + buffer->begin, len);
	} else {
		if (buffer->begin > 0)
			memmove(buffer->at, buffer->at + buffer->begin, len);
		buffer->at = mem_grow(buffer->at, &buffer->room,
				      len + n < BUFFER_FIRST ? BUFFER_FIRST : len + n, 1);
	}
	buffer->begin = 0;
	buffer->end = len;
}

void buffer_put(struct buffer *buffer, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	reserve(buffer, n);
	memcpy(buffer->at + buffer->end, bytes, n);
	buffer->end += n;
}

void buffer_text(struct buffer *buffer, const char *text)
{
	buffer_put(buffer, text, strlen(text));
}

void buffer_print(struct buffer *buffer, const char *format, ...)
{
	for (size_t need = PRINT_GUESS;;) {
		va_list arguments;
		size_t room;
		int n;

		reserve(buffer, need);
		room = buffer->room - buffer->end;
		va_start(arguments, format);
		n = vsnprintf((char *)buffer->at + buffer->end, room, format, arguments);
		va_end(arguments);
		if (n < 0)
			abort();		/* formats are ours */
		if ((size_t)n < room) {
			buffer->end += (size_t)n;
			return;
		}
		need = (size_t)n + 1;
	}
}

void buffer_take(struct buffer *buffer, size_t n)
{
	size_t len = buffer_len(buffer);

	buffer->begin += n < len ? n : len;
	if (buffer->begin == buffer->end)
		buffer->begin = buffer->end = 0;
}

void buffer_trim(struct buffer *buffer)
{
	if (buffer_len(buffer) == 0)
		buffer_drop(buffer);
}
