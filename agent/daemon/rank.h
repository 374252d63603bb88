/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bindings and groups with what they do, put in order, and the first of them: for views that show some
 * of very many. Pure: figures in, order out.
 */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is counted on and on; the last three need not be known. */
enum rank_count { RANK_BEGUN, RANK_SENT, RANK_RECEIVED, RANK_REFUSED, RANK_COUNTS };

/* In the order of "worst first". */
enum rank_state { RANK_UNUSABLE, RANK_PARTLY, RANK_STAND_IN, RANK_SUSPENDED, RANK_USABLE };

enum rank_key { RANK_BY_NAME, RANK_BY_CONNECTIONS, RANK_BY_NEW, RANK_BY_BYTES, RANK_BY_REFUSED,
		RANK_BY_STATE, RANK_BY_PORTS, RANK_KEYS };

enum { RANK_SHOWN_MAX = 1000 };			/* rows that can be had of all, by one order */

struct rank_row {
	const char *name;			/* borrowed */
	uint32_t binding, mark;			/* @mark tells two bindings with one name apart */
	uint32_t live;				/* connections */
	uint32_t ports, ports_of;		/* taken, of how many, where it is worst; 0 of 0: none */
	uint32_t pool;				/* which pool that is; for the caller */
	float rate[RANK_COUNTS];		/* a second; negative: not known */
	uint64_t counted[RANK_COUNTS];
	bool known[RANK_COUNTS];
	bool group;
	uint8_t state;				/* enum rank_state */
};

struct rank_rows { struct rank_row *at; size_t n, room; };

struct rank_query {
	enum rank_key key;			/* names ascend, states as above, all else descends ... */
	bool reverse;				/* ... or the other way; of equals the names ascend */
	const char *filter;			/* part of the name, in either case; NULL: all */
	size_t first, n;			/* at most RANK_SHOWN_MAX in sum */
};

/* The key called @word ("name", "connections", "new", "bytes", "refused", "health", "ports"), or
 * RANK_KEYS. */
enum rank_key rank_word(const char *word);

/*
 * rank_rates - how fast the counters of @rows grew
 * @before: an earlier look, or NULL
 * @usec:   between the two
 *
 * A row is the same as before if it stands at the same place with the same mark; others have no
 * rate this time. A counter below what it was began anew from 0. No rate can be told from 0 usec.
 */
void rank_rates(struct rank_rows *rows, const struct rank_rows *before, uint64_t usec);

/*
 * rank_select - the rows that a query asks for
 * @ret:          room for query->first + query->n; the first query->first of them are not asked for
 * @ret_matching: how many rows match the filter
 *
 * Returns how many rows are in @ret. One comparison for a row that is not among them, as a rule.
 */
size_t rank_select(const struct rank_rows *rows, const struct rank_query *query,
		   const struct rank_row **ret, size_t *ret_matching);
