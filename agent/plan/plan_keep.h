/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a plan owes to connections that the one before it let out by an uplink. Their packets need
 * rows as long as they live: without, the main table would take them, with the uplink's address.
 */
#pragma once

#include "plan/plan.h"

#include <stdio.h>

/*
 * plan_keep - add to @fresh, a finished plan, what connections of @old need
 *
 * Who is no more, keeps addresses and way. Who has other addresses of the same uplink, keeps the old
 * ones for what is alive. Who has an uplink no more, cannot leave from the old addresses by another
 * way. What was kept in @old is kept again. Plans of different masks have nothing in common.
 */
void plan_keep(const struct plan *old, struct plan *fresh);

/*
 * What is kept in @plan as text, for the agent after this one; nothing is written if nothing is.
 * Reading it gives a plan that is good for plan_keep() only. -EINVAL, *reterr_line: from 1, a line
 * that was not written so.
 */
void plan_keep_write(const struct plan *plan, FILE *out);
MUST_CHECK int plan_keep_read(const char *text, size_t len, struct plan *ret_plan,
			      unsigned *reterr_line);

/* Marks of which @plan keeps something, each once, malloc'd. */
size_t plan_keep_marks(const struct plan *plan, struct fwmark **ret);

extern const enum set_id plan_keep_sets[];	/* that rows are kept of; SETS at the end */

/* Has @plan rows that are kept, so that @mark may not be given another binding's in place? */
bool plan_keeps(const struct plan *plan, struct fwmark mark);
