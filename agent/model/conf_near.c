/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Did you mean": the name with the fewest typing slips (a letter wrong, missing, too many, or two
 * exchanged), if there are at most two and fewer than a third of the letters. Comparing with every
 * binding is bounded over a whole reading, so that a million of wrong names stays cheap.
 */
#include "model/conf_build.h"

#include <string.h>

enum { NEAR_MAX_LEN = 64, NEAR_SLIPS = 2, NEAR_BUDGET = 1000 * 1000 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance; anything over NEAR_SLIPS may come out as any such number. */
static unsigned slips(const char *a, size_t len_a, const char *b, size_t len_b)
{
	unsigned row[3][NEAR_MAX_LEN + 1];

	if (len_a > NEAR_MAX_LEN || len_b > NEAR_MAX_LEN || len_a > len_b + NEAR_SLIPS ||
	    len_b > len_a + NEAR_SLIPS)
		return NEAR_SLIPS + 1;
	for (unsigned j = 0; j <= len_b; j++)
		row[0][j] = j;
	for (unsigned i = 1; i <= len_a; i++) {
		unsigned *now = row[i % 3], *before = row[(i + 2) % 3], best = i;

		now[0] = i;
		for (unsigned j = 1; j <= len_b; j++) {
			now[j] = before[j - 1] + (a[i - 1] != b[j - 1]);
			now[j] = least(now[j], least(before[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], row[(i + 1) % 3][j - 2] + 1);
			best = least(best, now[j]);
		}
		if (best > NEAR_SLIPS)
			return best;
	}
	return row[len_a % 3][len_b];
}

static unsigned allowed(size_t len)
{
	return len <= 2 ? 0 : len <= 5 ? 1 : NEAR_SLIPS;
}

const char *conf_near(const struct word *word, const char *const *names, size_t n)
{
	unsigned best = allowed(word->len) + 1;
	const char *near = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned distance = slips(word->at, word->len, names[i], strlen(names[i]));

		if (distance < best) {
			best = distance;
			near = names[i];
		}
	}
	return near;
}

/* May @n names be compared? All or none of them. */
static bool take_budget(struct conf *conf, size_t n)
{
	if (n > NEAR_BUDGET - conf->suggestions)
		return false;
	conf->suggestions += n;
	return true;
}

static void nearer(const char *name, size_t len, const char *other, unsigned *best,
		   const char **near)
{
	unsigned distance = other ? slips(name, len, other, strlen(other)) : *best;

	if (distance >= *best)
		return;
	*best = distance;
	*near = other;
}

const char *conf_near_binding(struct conf *conf, const char *name)
{
	size_t len = strlen(name), n = conf->model->bindings.n;
	unsigned best = allowed(len) + 1;
	const char *near = NULL;

	if (!take_budget(conf, n))
		return NULL;
	for (size_t i = 0; i < n && best > 1; i++)
		nearer(name, len, conf->model->bindings.at[i].name, &best, &near);
	return near;
}

const char *conf_near_uplink(struct conf *conf, const char *name)
{
	size_t len = strlen(name), n = conf->model->uplinks.n;
	unsigned best = allowed(len) + 1;
	const char *near = NULL;

	if (!take_budget(conf, n))
		return NULL;
	for (size_t i = 0; i < n && best > 1; i++)
		nearer(name, len, conf->model->uplinks.at[i].name, &best, &near);
	return near;
}
