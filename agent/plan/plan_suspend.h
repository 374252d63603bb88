/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One binding suspended or resumed in a plan that is there, without building it anew. Pure. */
#pragma once

#include "plan/diff.h"

struct suspension {				/* what turns the plan before into the one after */
	struct op ops[FAMILIES];		/* their rows are below: not to be copied */
	size_t n;
	uint8_t rows[FAMILIES][KEY_MAX];
};

/*
 * plan_suspend - make @plan what plan_build() gives with the facts' suspended[@binding] = @on
 * Only for a plan without stand_ins. Takes one copy of the rows of two sets at most, and as many
 * hashes as there are families; doing it the other way round afterwards takes it back.
 */
void plan_suspend(struct plan *plan, uint32_t binding, bool on, struct suspension *ret);
