/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edit distance for suggestions. A candidate is near if a third of what was typed would have to
 * change, or if what was typed is its beginning. Words here are verbs and options, at most
 * NEAREST_MAX bytes long; longer ones are near to nothing.
 */
#include "nearest.h"

#include <string.h>

enum { NEAREST_MAX = 63 };

/* Insertions, deletions and replacements that turn @a into @b (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
	size_t row[NEAREST_MAX + 1], n_a = strlen(a), n_b = strlen(b);

	for (size_t j = 0; j <= n_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			size_t replace = diagonal + (a[i - 1] != b[j - 1]);
			size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = replace < least ? replace : least;
		}
	}
	return row[n_b];
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
	size_t len = strlen(nearest->word), d;

	if (len == 0 || len > NEAREST_MAX || strlen(candidate) > NEAREST_MAX)
		return;
	d = distance(nearest->word, candidate);
	if (strncmp(candidate, nearest->word, len) == 0)
		d = 1;
	if (d > (len + 2) / 3 || (nearest->best && d >= nearest->distance))
		return;
	nearest->best = candidate;
	nearest->distance = d;
}
