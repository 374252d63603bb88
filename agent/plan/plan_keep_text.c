/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept as text: a line with the mask, then one for each row, "SET OCTETS" in hexadecimal, in
 * the order of the plan. See plan_keep.h. */
#include "plan/plan_keep.h"

#include "base/mem.h"
#include "plan/plan_rows.h"

#include <inttypes.h>
#include <stdlib.h>

#define MASK_LINE	"mask "

static uint32_t mark_of(enum set_id set, const uint8_t *row)
{
	uint32_t mark = get_host32(row);

	return plan_shapes[set].interval ? be32toh(mark) : mark;
}

static int by_mark(const void *left, const void *right)
{
	const struct fwmark *a = left, *b = right;

	return a->host < b->host ? -1 : a->host > b->host;
}

struct marks { struct fwmark *at; size_t n, room; };

static void add_marks(const struct plan *plan, enum set_id set, const struct marks *but,
		      struct marks *ret)
{
	for (size_t i = 0; i < plan->sets[set].n; i++) {
		struct fwmark mark = { mark_of(set, plan->sets[set].at +
						    i * plan_shapes[set].row_len) };

		if (but->n == 0 ||
		    !bsearch(&mark, but->at, but->n, sizeof mark, by_mark))
			PUSH(ret, mark);
	}
}

/* Those of bindings that are no more, and others that something is kept of. */
size_t plan_keep_marks(const struct plan *plan, struct fwmark **ret)
{
	struct marks alive = { 0 }, marks = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < plan->n_bindings; i++)
		PUSH(&alive, plan->marks[i]);
	if (alive.n > 0)
		qsort(alive.at, alive.n, sizeof *alive.at, by_mark);
	add_marks(plan, SET_HAS_UPLINK, &alive, &marks);
	add_marks(plan, SET_ELSEWHERE, &(struct marks){ 0 }, &marks);
	add_marks(plan, SET_KEPT4, &(struct marks){ 0 }, &marks);
	add_marks(plan, SET_KEPT6, &(struct marks){ 0 }, &marks);
	if (marks.n > 0)
		qsort(marks.at, marks.n, sizeof *marks.at, by_mark);
	for (size_t i = 0; i < marks.n; i++)
		if (n == 0 || marks.at[n - 1].host != marks.at[i].host)
			marks.at[n++] = marks.at[i];
	free(alive.at);
	*ret = marks.at;
	return n;
}

static void write_row(const struct set_shape *shape, const uint8_t *row, FILE *out)
{
	fprintf(out, "%s ", shape->name);
	for (size_t i = 0; i < shape->row_len; i++)
		fprintf(out, "%02x", row[i]);
	putc('\n', out);
}

void plan_keep_write(const struct plan *plan, FILE *out)
{
	struct fwmark *AUTO(mem_drop) marks = NULL;
	size_t n = plan_keep_marks(plan, &marks);

	if (n > 0)
		fprintf(out, MASK_LINE "%08" PRIx32 "\n", plan->mask.host);
	for (size_t i = 0; plan_keep_sets[i] != SETS && n > 0; i++) {
		enum set_id set = plan_keep_sets[i];

		for (size_t row = 0; row < plan->sets[set].n; row++) {
			const uint8_t *at = plan->sets[set].at + row * plan_shapes[set].row_len;
			struct fwmark mark = { mark_of(set, at) };

			if (bsearch(&mark, marks, n, sizeof mark, by_mark))
				write_row(&plan_shapes[set], at, out);
		}
	}
}

static bool read_octets(const char *text, size_t len, uint8_t *ret, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	if (len != n * 2)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char *digit = memchr(digits, text[i], sizeof digits - 1);

		if (!digit)
			return false;
		ret[i / 2] = (uint8_t)(ret[i / 2] << 4 | (digit - digits));
	}
	return true;
}

static bool read_row(const char *line, size_t len, struct plan *plan)
{
	for (size_t i = 0; plan_keep_sets[i] != SETS; i++) {
		enum set_id set = plan_keep_sets[i];
		size_t head = strlen(plan_shapes[set].name);

		if (len > head && memcmp(line, plan_shapes[set].name, head) == 0 &&
		    line[head] == ' ')
			return read_octets(line + head + 1, len - head - 1,
					   plan_rows_add(plan, set), plan_shapes[set].row_len);
	}
	return false;
}

static bool read_mask(const char *line, size_t len, struct plan *plan)
{
	uint8_t octets[4] = { 0 };
	size_t head = strlen(MASK_LINE);

	if (len < head || memcmp(line, MASK_LINE, head) != 0 ||
	    !read_octets(line + head, len - head, octets, sizeof octets))
		return false;
	plan->mask.host = be32toh(get_host32(octets));
	return true;
}

int plan_keep_read(const char *text, size_t len, struct plan *ret_plan, unsigned *reterr_line)
{
	AUTO(plan_drop) struct plan plan = { 0 };
	const char *at = text, *end = text + len;

	for (*reterr_line = 1; at < end; ++*reterr_line) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		if (!newline)
			return -EINVAL;
		if (*reterr_line == 1 ? !read_mask(at, (size_t)(newline - at), &plan)
				      : !read_row(at, (size_t)(newline - at), &plan))
			return -EINVAL;
		at = newline + 1;
	}
	for (size_t i = 0; plan_keep_sets[i] != SETS; i++)
		plan_rows_finish(&plan, plan_keep_sets[i]);
	*ret_plan = plan;
	plan = (struct plan){ 0 };
	return 0;
}
