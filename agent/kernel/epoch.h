/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The epoch of the policy that the table holds: a number from 1 to EPOCHS that a transaction advances if
 * a packet could be judged by two policies mixed while the kernel carries it out; diff_needs_epoch().
 * The template says how packets use it. It is no part of a plan, which does not know what came before.
 */
#pragma once

#include "plan/plan.h"

enum {
	EPOCHS = 4,				/* as many transactions as one packet's judgement outlives */
	EPOCH_ROWS = 5,
	EPOCH_ROW = 16,				/* octets of the largest row */
};

struct epoch_row {				/* an element, as a row of a plan would be */
	const struct set_shape *shape;
	uint8_t row[EPOCH_ROW];
};

/* The elements that say that it is @epoch, in the order in which they must be written: ranges last. */
void epoch_rows(unsigned epoch, struct epoch_row ret[static EPOCH_ROWS]);

/* The one after @epoch. */
unsigned epoch_next(unsigned epoch);

/* All there are, for the template: "1, 2, 3, 4". */
extern const char epoch_list[];
