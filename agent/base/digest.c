/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See digest.h: XXH3 with 128 bits. */
#include "base/digest.h"

#include <stdio.h>
#include <xxhash.h>

void digest_print(const void *bytes, size_t len, char ret_text[static DIGEST_HEX])
{
	XXH128_hash_t hash = XXH3_128bits(bytes, len);

	(void)snprintf(ret_text, DIGEST_HEX, "%016llx%016llx", (unsigned long long)hash.high64,
		       (unsigned long long)hash.low64);
}
