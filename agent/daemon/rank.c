/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See rank.h. */
#include "daemon/rank.h"

#include <string.h>

static const char *const words[] = {
	[RANK_BY_NAME] = "name", [RANK_BY_CONNECTIONS] = "connections", [RANK_BY_NEW] = "new",
	[RANK_BY_BYTES] = "bytes", [RANK_BY_REFUSED] = "refused", [RANK_BY_STATE] = "health",
	[RANK_BY_PORTS] = "ports",
};

enum rank_key rank_word(const char *word)
{
	for (unsigned i = 0; i < RANK_KEYS; i++)
		if (strcmp(words[i], word) == 0)
			return (enum rank_key)i;
	return RANK_KEYS;
}

static void rate_row(struct rank_row *row, const struct rank_row *before, uint64_t usec)
{
	for (int i = 0; i < RANK_COUNTS; i++) {
		uint64_t now = row->counted[i], then = before->counted[i];

		row->rate[i] = -1;
		if (usec > 0 && row->known[i] && before->known[i] && row->mark == before->mark)
			row->rate[i] = (float)((double)(now >= then ? now - then : now) * 1e6 /
					       (double)usec);
	}
}

void rank_rates(struct rank_rows *rows, const struct rank_rows *before, uint64_t usec)
{
	static const struct rank_row nothing;

	for (size_t i = 0; i < rows->n; i++)
		rate_row(&rows->at[i], before && i < before->n ? &before->at[i] : &nothing, usec);
}

/* What a row is ordered by; the more, the earlier. */
static double weigh(const struct rank_row *row, enum rank_key key)
{
	switch (key) {
	case RANK_BY_CONNECTIONS:
		return row->live;
	case RANK_BY_NEW:
		return (double)row->rate[RANK_BEGUN];
	case RANK_BY_BYTES:
		return (double)row->rate[RANK_SENT] + (double)row->rate[RANK_RECEIVED];
	case RANK_BY_REFUSED:
		return (double)row->rate[RANK_REFUSED];
	case RANK_BY_STATE:
		return -(double)row->state;
	case RANK_BY_PORTS:
		return row->ports_of > 0 ? (double)row->ports / row->ports_of : -1;
	case RANK_BY_NAME:
	case RANK_KEYS:
		break;
	}
	return 0;
}

static bool goes_before(const struct rank_query *query, const struct rank_row *a,
			const struct rank_row *b)
{
	double x = weigh(a, query->key), y = weigh(b, query->key);
	int order;

	if (x > y || x < y)
		return query->reverse ? x < y : x > y;
	order = strcmp(a->name, b->name);
	if (query->reverse && query->key == RANK_BY_NAME)
		order = -order;
	return order != 0 ? order < 0 : a->binding < b->binding;
}

/* Heap whose top is the row that would go last. */
static void sink(const struct rank_query *query, const struct rank_row **heap, size_t n, size_t at)
{
	const struct rank_row *row = heap[at];

	for (size_t child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && goes_before(query, heap[child], heap[child + 1]))
			child++;
		if (!goes_before(query, row, heap[child]))
			break;
		heap[at] = heap[child];
	}
	heap[at] = row;
}

/* Take the one that goes last from the top, again and again. */
static void unheap(const struct rank_query *query, const struct rank_row **heap, size_t n)
{
	while (n > 1) {
		const struct rank_row *last = heap[0];

		heap[0] = heap[--n];
		heap[n] = last;
		sink(query, heap, n, 0);
	}
}

static bool matches(const struct rank_row *row, const char *filter)
{
	return !filter || !*filter || strcasestr(row->name, filter);
}

size_t rank_select(const struct rank_rows *rows, const struct rank_query *query,
		   const struct rank_row **ret, size_t *ret_matching)
{
	size_t room = query->first + query->n, n = 0;

	*ret_matching = 0;
	for (size_t i = 0; i < rows->n; i++) {
		const struct rank_row *row = &rows->at[i];

		if (!matches(row, query->filter))
			continue;
		++*ret_matching;
		if (n < room) {
			ret[n++] = row;
			for (size_t at = n / 2; n == room && at-- > 0;)
				sink(query, ret, n, at);
		} else if (room > 0 && goes_before(query, row, ret[0])) {
			ret[0] = row;
			sink(query, ret, n, 0);
		}
	}
	for (size_t at = n / 2; n < room && at-- > 0;)
		sink(query, ret, n, at);
	unheap(query, ret, n);
	return n;
}
