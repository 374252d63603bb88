/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a control peer. The first byte chooses how the rest is cut into pieces: however they are
 * cut, the same messages must come out, and what comes out must survive being sent back.
 */
#include "proto/varlink.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { LIMIT = 4096 };

/* Sum over all messages, with errors in it; feeding stops where a peer would be closed. */
static size_t read_all(const uint8_t *bytes, size_t n, size_t piece, size_t *ret_messages)
{
	struct varlink_reader reader = { .limit = LIMIT };
	size_t sum = 0, messages = 0;
	int r = 0;

	for (size_t at = 0; at < n && r >= 0; at += piece) {
		json_t *message;

		r = varlink_feed(&reader, (const char *)bytes + at,
				 n - at < piece ? n - at : piece);
		while (r >= 0 && (r = varlink_next(&reader, &message)) == 1) {
			char *text;
			size_t len = varlink_encode(message, &text);

			if (len == 0 || text[len - 1] != '\0' || strlen(text) != len - 1)
				abort();
			for (size_t i = 0; i < len; i++)
				sum = sum * 31 + (unsigned char)text[i];
			messages++;
			free(text);
			json_decref(message);
		}
	}
	varlink_reader_drop(&reader);
	*ret_messages = messages;
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	size_t whole, cut, messages, messages_cut;

	if (n < 2 || n > LIMIT)
		return 0;
	whole = read_all(bytes + 1, n - 1, n, &messages);
	cut = read_all(bytes + 1, n - 1, bytes[0] % 16u + 1, &messages_cut);
	if (whole != cut || messages != messages_cut)
		abort();
	return 0;
}
