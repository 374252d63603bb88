/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See spread.h. The hash of the destination is the kernel's and must stay it bit for bit, or what
 * `outbindctl explain` says is wrong; the weights are ours alone, but changing them moves
 * destinations between addresses, so XXH3 (stable since 0.8) and its seed stay too.
 */
#include "plan/spread.h"

#include <string.h>
#include <xxhash.h>

#define JHASH_INITVAL	0xdeadbeefu		/* include/linux/jhash.h */

static uint32_t rol32(uint32_t word, unsigned shift)
{
	return word << shift | word >> (32 - shift);
}

static uint32_t word_at(const uint8_t *octets)
{
	uint32_t word;

	memcpy(&word, octets, sizeof word);	/* __get_unaligned_cpu32 */
	return word;
}

static void jhash_mix(uint32_t *a, uint32_t *b, uint32_t *c)
{
	*a -= *c, *a ^= rol32(*c, 4), *c += *b;
	*b -= *a, *b ^= rol32(*a, 6), *a += *c;
	*c -= *b, *c ^= rol32(*b, 8), *b += *a;
	*a -= *c, *a ^= rol32(*c, 16), *c += *b;
	*b -= *a, *b ^= rol32(*a, 19), *a += *c;
	*c -= *b, *c ^= rol32(*b, 4), *b += *a;
}

static uint32_t jhash_final(uint32_t a, uint32_t b, uint32_t c)
{
	c ^= b, c -= rol32(b, 14);
	a ^= c, a -= rol32(c, 11);
	b ^= a, b -= rol32(a, 25);
	c ^= b, c -= rol32(b, 16);
	a ^= c, a -= rol32(c, 4);
	b ^= a, b -= rol32(a, 14);
	c ^= b, c -= rol32(b, 24);
	return c;
}

/* jhash() of an address: the length is 4 or 16, so the tail is always four octets, read as the
 * kernel reads a tail: low octet first whatever the byte order of the machine. */
static uint32_t jhash(const uint8_t *octets, uint32_t len, uint32_t seed)
{
	uint32_t a = JHASH_INITVAL + len + seed, b = a, c = a;

	for (; len > 12; len -= 12, octets += 12) {
		a += word_at(octets);
		b += word_at(octets + 4);
		c += word_at(octets + 8);
		jhash_mix(&a, &b, &c);
	}
	a += (uint32_t)octets[3] << 24 | (uint32_t)octets[2] << 16 | (uint32_t)octets[1] << 8 |
	     octets[0];
	return jhash_final(a, b, c);
}

uint32_t spread_hash(const uint8_t *octets, uint32_t len, uint32_t slots)
{
	return (uint32_t)((uint64_t)jhash(octets, len, SPREAD_SEED) * slots >> 32);
}

uint32_t spread_slot(const struct ip *to)
{
	return spread_hash(to->octet, to->len, SPREAD_SLOTS);
}

size_t spread_choose(const struct ip *addresses, size_t n, uint32_t slot)
{
	uint64_t best_weight = 0;
	size_t best = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t weight = XXH3_64bits_withSeed(addresses[i].octet, addresses[i].len, slot);

		if (i == 0 || weight > best_weight ||
		    (weight == best_weight && ip_compare(&addresses[i], &addresses[best]) < 0)) {
			best_weight = weight;
			best = i;
		}
	}
	return best;
}
