/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See plan_keep.h. All rows here begin with a mark in host order, but those of intervals. */
#include "plan/plan_keep.h"

#include "base/mem.h"
#include "plan/plan_rows.h"

#include <stdlib.h>

/* Of a binding that is no more: nothing new can leave by it, since it is not usable. */
const enum set_id plan_keep_sets[] = {
	SET_STEER, SET_HAS_UPLINK, SET_STEER_TO, SET_STEER_BIT, SET_VIA, SET_ANSWER,
	SET_OWN4, SET_OWN6, SET_OWN_RANGE4, SET_OWN_RANGE6, SET_KEPT4, SET_KEPT6, SET_ELSEWHERE,
	SETS,
};

struct keeping {
	const struct plan *old;
	struct plan *fresh;
	uint32_t *marks;			/* of @fresh, sorted */
	bool kept[SETS];			/* sets that got rows */
};

static int by_value(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

static const uint8_t *row_of(const struct plan *plan, enum set_id set, size_t row)
{
	return plan->sets[set].at + row * plan_shapes[set].row_len;
}

static uint32_t mark_of(enum set_id set, const uint8_t *row)
{
	uint32_t mark = get_host32(row);

	return plan_shapes[set].interval ? be32toh(mark) : mark;
}

/* Copy a row to @set of the fresh plan; its line was in another model. */
static void keep(struct keeping *keeping, enum set_id set, const uint8_t *row)
{
	const struct set_shape *shape = &plan_shapes[set];
	uint8_t *copy = plan_rows_add(keeping->fresh, set);

	memcpy(copy, row, shape->row_len);
	plan_rows_origin(shape, copy, NO_INDEX);
	keeping->kept[set] = true;
}

static bool is_alive(const struct keeping *keeping, uint32_t mark)
{
	return keeping->fresh->n_bindings > 0 &&
	       bsearch(&mark, keeping->marks, keeping->fresh->n_bindings, sizeof mark, by_value);
}

/* Those that had an uplink and are no more: of the others with such rows nobody looks at them. */
static void keep_gone(struct keeping *keeping)
{
	for (size_t i = 0; plan_keep_sets[i] != SETS; i++) {
		enum set_id set = plan_keep_sets[i];

		for (size_t row = 0; row < keeping->old->sets[set].n; row++) {
			const uint8_t *at = row_of(keeping->old, set, row);
			struct fwmark mark = { mark_of(set, at) };

			if (!is_alive(keeping, mark.host) && plan_keeps(keeping->old, mark))
				keep(keeping, set, at);
		}
	}
}

static const uint8_t *find(const struct plan *plan, enum set_id set, uint32_t mark, uint8_t nfproto)
{
	uint8_t key[8] = { 0 };

	*put_host32(key, mark) = nfproto;
	return plan_find(plan, set, key);
}

/* Has @mark lost one of its rows in @set? */
static bool has_lost(const struct keeping *keeping, enum set_id set, uint32_t mark, uint8_t nfproto)
{
	const struct rows *rows = &keeping->old->sets[set];
	size_t len = plan_shapes[set].row_len, low = 0, high = rows->n;
	uint8_t key[4];

	put_host32(key, plan_shapes[set].interval ? htobe32(mark) : mark);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(rows->at + middle * len, key, sizeof key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < rows->n && memcmp(rows->at + low * len, key, sizeof key) == 0; low++) {
		const uint8_t *row = rows->at + low * len;

		if ((set != SET_VIA || row[4] == nfproto) &&
		    !plan_find(keeping->fresh, set, row))
			return true;
	}
	return false;
}

/* Does @mark have the uplink still that it had, or had it none before either? */
static bool has_same(const struct keeping *keeping, uint32_t mark, uint8_t nfproto)
{
	const uint8_t *old = find(keeping->old, SET_STEER_TO, mark, nfproto);
	const uint8_t *fresh = find(keeping->fresh, SET_STEER_TO, mark, nfproto);

	if (find(keeping->old, SET_ELSEWHERE, mark, nfproto))
		return !fresh;
	return old && fresh && memcmp(old, fresh, plan_shapes[SET_STEER_TO].row_len) == 0 &&
	       !has_lost(keeping, SET_VIA, mark, nfproto);
}

/* Addresses that a binding had, of the way that it still has. */
static void keep_addresses(struct keeping *keeping, enum set_id from, enum set_id own,
			   enum set_id kept, uint8_t nfproto)
{
	const struct plan *old = keeping->old;

	for (size_t row = 0; row < old->sets[from].n; row++) {
		const uint8_t *at = row_of(old, from, row);
		uint32_t mark = get_host32(at);

		if (!is_alive(keeping, mark) || !has_same(keeping, mark, nfproto) ||
		    plan_find(keeping->fresh, own, at))
			continue;
		memcpy(plan_rows_add(keeping->fresh, kept), at, plan_shapes[kept].row_len);
		keeping->kept[kept] = true;
	}
}

/* Those that live without an uplink now. What was kept once stays. */
static void keep_off(struct keeping *keeping, enum set_id from)
{
	const struct plan *old = keeping->old;

	for (size_t row = 0; row < old->sets[from].n; row++) {
		const uint8_t *at = row_of(old, from, row);
		uint32_t mark = get_host32(at);
		uint8_t nfproto = at[4];

		if (!is_alive(keeping, mark) ||
		    find(keeping->fresh, SET_HAS_UPLINK, mark, nfproto))
			continue;
		if (from == SET_HAS_UPLINK &&
		    !has_lost(keeping, nfproto == 2 ? SET_OWN4 : SET_OWN6, mark, nfproto) &&
		    !has_lost(keeping, nfproto == 2 ? SET_OWN_RANGE4 : SET_OWN_RANGE6, mark,
			      nfproto))
			continue;
		keep(keeping, SET_ELSEWHERE, at);
		keep(keeping, SET_STEER, at);
	}
}

/* Rows that came twice are one. */
static void finish(struct plan *plan, enum set_id set)
{
	struct rows *rows = &plan->sets[set];
	size_t len = plan_shapes[set].row_len, n = 0;

	plan_rows_finish(plan, set);
	for (size_t i = 0; i < rows->n; i++) {
		if (n > 0 && memcmp(rows->at + (n - 1) * len, rows->at + i * len,
				    plan_shapes[set].key_len) == 0)
			continue;
		memmove(rows->at + n++ * len, rows->at + i * len, len);
	}
	rows->n = n;
}

bool plan_keeps(const struct plan *plan, struct fwmark mark)
{
	static const uint8_t nfprotos[] = { 2, 10 };	/* NFPROTO_IPV4, NFPROTO_IPV6 */

	for (size_t i = 0; i < ARRAY_LEN(nfprotos); i++)
		if (find(plan, SET_HAS_UPLINK, mark.host, nfprotos[i]) ||
		    find(plan, SET_ELSEWHERE, mark.host, nfprotos[i]))
			return true;
	return false;
}

void plan_keep(const struct plan *old, struct plan *fresh)
{
	struct keeping keeping = { .old = old, .fresh = fresh };
	bool any = false;

	if (old->mask.host != fresh->mask.host ||
	    old->sets[SET_HAS_UPLINK].n + old->sets[SET_ELSEWHERE].n == 0)
		return;
	keeping.marks = mem_zero(fresh->n_bindings, sizeof *keeping.marks);
	for (size_t i = 0; i < fresh->n_bindings; i++)
		keeping.marks[i] = fresh->marks[i].host;
	if (fresh->n_bindings > 0)
		qsort(keeping.marks, fresh->n_bindings, sizeof *keeping.marks, by_value);
	keep_addresses(&keeping, SET_OWN4, SET_OWN4, SET_KEPT4, 2);
	keep_addresses(&keeping, SET_KEPT4, SET_OWN4, SET_KEPT4, 2);
	keep_addresses(&keeping, SET_OWN6, SET_OWN6, SET_KEPT6, 10);
	keep_addresses(&keeping, SET_KEPT6, SET_OWN6, SET_KEPT6, 10);
	keep_off(&keeping, SET_HAS_UPLINK);
	keep_off(&keeping, SET_ELSEWHERE);
	keep_gone(&keeping);
	for (int i = 0; i < SETS; i++) {
		if (keeping.kept[i])
			finish(fresh, (enum set_id)i);
		any = any || keeping.kept[i];
	}
	if (any)
		fresh->fingerprint = plan_fingerprint(fresh);
	free(keeping.marks);
}
