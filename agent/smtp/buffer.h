/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes on their way: put at the end, taken from the beginning. Empty costs no memory once it was
 * trimmed, so that an idle session is small.
 */
#pragma once

#include "base/own.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct buffer {					/* zero is an empty one */
	uint8_t *at;
	size_t begin, end, room;
};

static inline size_t buffer_len(const struct buffer *buffer)
{
	return buffer->end - buffer->begin;
}

static inline const uint8_t *buffer_bytes(const struct buffer *buffer)
{
	return buffer->at ? buffer->at + buffer->begin : (const uint8_t *)"";
}

void buffer_drop(struct buffer *buffer);
void buffer_put(struct buffer *buffer, const void *bytes, size_t n);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_print(struct buffer *buffer, const char *format, ...) PRINTF(2, 3);

/* Forget the first @n bytes, at most buffer_len(). */
void buffer_take(struct buffer *buffer, size_t n);

/* Give memory back if it is empty. */
void buffer_trim(struct buffer *buffer);
