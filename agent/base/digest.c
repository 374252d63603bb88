/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See digest.h: XXH3 with 128 bits. */
#include "base/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

struct digest_stream *digest_begin(uint64_t key)
{
	XXH3_state_t *state = XXH3_createState();

	if (!state)
		abort();
	XXH3_128bits_reset_withSeed(state, key);
	return (struct digest_stream *)state;
}

void digest_add(struct digest_stream *stream, const void *bytes, size_t len)
{
	XXH3_128bits_update((XXH3_state_t *)stream, bytes, len);
}

void digest_end(const struct digest_stream *stream, uint8_t ret[static 16])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest((const XXH3_state_t *)stream));
	for (size_t i = 0; i < sizeof canonical.digest; i++)
		ret[i] = canonical.digest[i];
}

void digest_free(struct digest_stream *stream)
{
	XXH3_freeState((XXH3_state_t *)stream);
}

void digest_print(const void *bytes, size_t len, char ret_text[static DIGEST_HEX])
{
	XXH128_hash_t hash = XXH3_128bits(bytes, len);

	(void)snprintf(ret_text, DIGEST_HEX, "%016llx%016llx", (unsigned long long)hash.high64,
		       (unsigned long long)hash.low64);
}
