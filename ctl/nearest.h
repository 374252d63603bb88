/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": which known word is a slip of the pen away from the one that was typed. */
#pragma once

#include <stddef.h>

struct nearest {
	const char *word;			/* what was typed */
	const char *best;			/* nearest candidate so far; NULL if none is near */
	size_t distance;			/* of @best */
};

/* Consider one more candidate. It must outlive @nearest. */
void nearest_try(struct nearest *nearest, const char *candidate);
