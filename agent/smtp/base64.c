/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Base 64 for AUTH. Strict, so that there is one way to say a thing; constant work for each octet. */
#include "smtp/base64.h"

#include <string.h>
#include <sys/types.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

ssize_t base64_decode(struct text text, uint8_t *ret, size_t room)
{
	size_t pad = 0, n = 0;

	if (text.len % 4 != 0)
		return -EINVAL;
	while (pad < 2 && pad < text.len && text.at[text.len - 1 - pad] == '=')
		pad++;
	if (text.len / 4 * 3 - pad > room)
		return -EMSGSIZE;
	for (size_t i = 0; i < text.len; i += 4) {
		size_t digits = i + 4 == text.len ? 4 - pad : 4;
		uint32_t bits = 0;

		for (size_t j = 0; j < 4; j++) {
			int value = j < digits ? value_of(text.at[i + j]) : 0;

			if (value < 0)
				return -EINVAL;
			bits = bits << 6 | (uint32_t)value;
		}
		if ((digits == 3 && (bits & 0xff)) || (digits == 2 && (bits & 0xffff)))
			return -EINVAL;		/* bits that belong to no octet */
		for (size_t j = 0; j + 1 < digits; j++)
			ret[n++] = (uint8_t)(bits >> (16 - 8 * j));
	}
	return (ssize_t)n;
}

void base64_encode(const void *bytes, size_t n, struct buffer *out)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t bits = (uint32_t)at[i] << 16 | (left > 1 ? (uint32_t)at[i + 1] << 8 : 0) |
				(left > 2 ? at[i + 2] : 0);
		char four[4] = { alphabet[bits >> 18], alphabet[bits >> 12 & 63],
				 left > 1 ? alphabet[bits >> 6 & 63] : '=',
				 left > 2 ? alphabet[bits & 63] : '=' };

		buffer_put(out, four, sizeof four);
	}
}
