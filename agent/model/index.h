/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hash index over items that live in somebody's array: "have I seen this before", in constant time.
 * It keeps hashes and item numbers only; what equal means is the caller's to say. */
#pragma once

#include "base/own.h"

#include <stdint.h>

struct index_slot {
	uint32_t hash, item;			/* item + 1; 0 = free */
};

struct index {
	struct index_slot *slots;
	size_t room, n;				/* room is a power of two */
};

void index_drop(struct index *index);
void index_add(struct index *index, uint32_t hash, uint32_t item);

/*
 * Next item whose hash is @hash, or UINT32_MAX. Start with *@step = 0:
 * for (size_t step = 0; (item = index_next(&index, hash, &step)) != UINT32_MAX;)
 */
uint32_t index_next(const struct index *index, uint32_t hash, size_t *step);

uint32_t index_hash(const void *bytes, size_t len);
