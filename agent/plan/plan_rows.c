/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of octets: appending and sorting. Sorting is a radix sort from the last octet of the key to
 * the first, because a million keys that differ in three octets then cost three passes. Octets that
 * are the same in all rows cost nothing, rows that come sorted cost one look.
 */
#include "plan/plan_rows.h"

#include "base/mem.h"

uint8_t *plan_rows_add(struct plan *plan, enum set_id set)
{
	const struct set_shape *shape = &plan_shapes[set];
	struct rows *rows = &plan->sets[set];
	uint8_t *row;

	rows->at = mem_grow(rows->at, &rows->room, rows->n + 1, shape->row_len);
	row = rows->at + rows->n++ * shape->row_len;
	memset(row, 0, shape->row_len);
	plan_rows_origin(shape, row, NO_INDEX);
	return row;
}

void plan_rows_origin(const struct set_shape *shape, uint8_t *row, uint32_t origin)
{
	if (shape->origin != ORIGIN_NONE)
		put_host32(row + shape->row_len - sizeof origin, origin);
}

static bool is_sorted(const uint8_t *at, size_t n, size_t len, size_t key_len)
{
	for (size_t i = 1; i < n; i++)
		if (memcmp(at + (i - 1) * len, at + i * len, key_len) > 0)
			return false;
	return true;
}

/* One pass: stable distribution by one octet; false if the octet is the same everywhere. */
static bool distribute(const uint8_t *from, uint8_t *to, size_t n, size_t len, size_t octet)
{
	size_t start[256] = { 0 }, sum = 0;

	for (size_t i = 0; i < n; i++)
		start[from[i * len + octet]]++;
	if (start[from[octet]] == n)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(start); i++) {
		size_t count = start[i];

		start[i] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		memcpy(to + start[from[i * len + octet]]++ * len, from + i * len, len);
	return true;
}

void plan_rows_sort(uint8_t *at, size_t n, size_t len, size_t key_len)
{
	uint8_t *AUTO(mem_drop) spare = NULL;
	uint8_t *from = at, *to;

	if (is_sorted(at, n, len, key_len))
		return;
	spare = to = mem_zero(n, len);
	for (size_t octet = key_len; octet-- > 0;) {
		if (!distribute(from, to, n, len, octet))
			continue;
		uint8_t *swap = from;

		from = to;
		to = swap;
	}
	if (from != at)
		memcpy(at, from, n * len);
}

/*
 * Zones are 16 bits wide and 0 is everybody's. Two of more than 65534 bindings may share one: then
 * they are kept apart as badly as without zones, by ports alone.
 */
void plan_rows_zone(struct plan *plan, struct fwmark mark)
{
	enum { ZONES = 65534, ZONE_REJECT = 65535 };
	uint32_t number = mark.host >> __builtin_ctz(plan->mask.host);
	uint8_t *row = put_host32(plan_rows_add(plan, SET_ZONE), mark.host);
	uint16_t zone = mark.host == plan->reject.host ? ZONE_REJECT
						       : (uint16_t)(1 + (number - 1) % ZONES);

	memcpy(row, &zone, sizeof zone);
}

void plan_rows_finish(struct plan *plan, enum set_id set)
{
	const struct set_shape *shape = &plan_shapes[set];
	struct rows *rows = &plan->sets[set];
	uint8_t *less;

	plan_rows_sort(rows->at, rows->n, shape->row_len, shape->key_len);
	if (rows->n == 0 || rows->n == rows->room)
		return;
	less = realloc(rows->at, rows->n * shape->row_len);
	if (!less)
		return;
	rows->at = less;
	rows->room = rows->n;
}

size_t plan_rows_place(const struct plan *plan, enum set_id set, const uint8_t *key, size_t key_len)
{
	const struct rows *rows = &plan->sets[set];
	size_t len = plan_shapes[set].row_len, low = 0, high = rows->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(rows->at + middle * len, key, key_len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void plan_rows_splice(struct plan *plan, enum set_id set, size_t first, size_t n,
		      const struct rows *fresh)
{
	struct rows *rows = &plan->sets[set];
	size_t len = plan_shapes[set].row_len, sum = rows->n - n + fresh->n;
	uint8_t *at;

	if (rows->n == 0 && sum == 0)
		return;
	for (size_t i = 0; i < n; i++)
		plan->fingerprint -= plan_row_hash(set, rows->at + (first + i) * len);
	for (size_t i = 0; i < fresh->n; i++)
		plan->fingerprint += plan_row_hash(set, fresh->at + i * len);
	rows->at = mem_grow(rows->at, &rows->room, sum, len);
	at = rows->at + first * len;
	memmove(at + fresh->n * len, at + n * len, (rows->n - first - n) * len);
	if (fresh->n > 0)
		memcpy(at, fresh->at, fresh->n * len);
	rows->n = sum;
}

void plan_rows_take_out(struct plan *plan, enum set_id set, const uint8_t *key)
{
	size_t at = plan_rows_place(plan, set, key, plan_shapes[set].row_len);

	plan_rows_splice(plan, set, at, 1, &(struct rows){ 0 });
}

void plan_rows_put_in(struct plan *plan, enum set_id set, const uint8_t *key)
{
	size_t len = plan_shapes[set].row_len, at = plan_rows_place(plan, set, key, len);
	uint8_t row[KEY_MAX];

	memcpy(row, key, len);
	plan_rows_splice(plan, set, at, 0, &(struct rows){ row, 1, 1 });
}
