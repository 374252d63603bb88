/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random numbers that are the same everywhere: splitmix64. */
#pragma once

#include <stdint.h>

static uint64_t roll_state;			/* the seed, before the first one */

/* 0 to @n - 1. */
static inline uint32_t roll(uint32_t n)
{
	uint64_t z = roll_state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ z >> 31) % n);
}
