/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Applying the difference to what is gives what should be; no difference gives nothing to do. */
#include "plan/diff.h"

#include "base/mem.h"
#include "plan/plan_rows.h"
#include "roll.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Rows with keys from a small space, each octet but the last zero, so that plans share keys. */
static void random_plan(struct plan *plan)
{
	for (int i = 0; i < SETS; i++) {
		const struct set_shape *shape = &plan_shapes[i];

		for (uint8_t key = 0; key < 40; key++) {
			uint8_t *row;

			if (roll(2))
				continue;
			row = plan_rows_add(plan, (enum set_id)i);
			row[shape->key_len - 1] = key;
			if (shape->interval)
				row[shape->key_len * 2 - 1] = (uint8_t)(key + roll(2) * 40);
			if (shape->data_len)
				row[shape->row_len - 1 - (shape->origin ? 4 : 0)] =
					(uint8_t)roll(3);
			plan_rows_origin(shape, row, roll(1000));
		}
		plan_rows_finish(plan, (enum set_id)i);
	}
}

static uint8_t *find_exact(struct rows *rows, const struct set_shape *shape, const uint8_t *row)
{
	for (size_t i = 0; i < rows->n; i++)
		if (memcmp(rows->at + i * shape->row_len, row, shape->key_len) == 0)
			return rows->at + i * shape->row_len;
	return NULL;
}

/* As the kernel would: deleting needs the element, adding must not find its key. */
static void apply(struct plan *plan, const struct op *op)
{
	const struct set_shape *shape = &plan_shapes[op->set];
	struct rows *rows = &plan->sets[op->set];
	uint8_t *there = find_exact(rows, shape, op->row);

	if (op->verb == OP_DELETE) {
		assert_non_null(there);
		memmove(there, rows->at + --rows->n * shape->row_len, shape->row_len);
		return;
	}
	assert_null(there);
	memcpy(plan_rows_add(plan, op->set), op->row, shape->row_len);
}

static void test_apply(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < 300; i++) {
		AUTO(plan_drop) struct plan desired = { 0 }, actual = { 0 };
		AUTO(ops_drop) struct ops ops = { 0 }, none = { 0 };
		char want[33], got[33];

		roll_state = i;
		random_plan(&desired);
		random_plan(&actual);
		diff_plans(&desired, &actual, &ops);
		struct plan copy = { 0 };	/* rows of @ops are borrowed from both plans */

		for (int set = 0; set < SETS; set++)
			for (size_t row = 0; row < actual.sets[set].n; row++)
				memcpy(plan_rows_add(&copy, (enum set_id)set), actual.sets[set].at +
				       row * plan_shapes[set].row_len, plan_shapes[set].row_len);
		for (size_t op = 0; op < ops.n; op++) {
			if (op > 0 && ops.at[op].set == ops.at[op - 1].set)
				assert_true(ops.at[op].verb >= ops.at[op - 1].verb);
			apply(&copy, &ops.at[op]);
		}
		for (int set = 0; set < SETS; set++)
			plan_rows_finish(&copy, (enum set_id)set);
		desired.fingerprint = plan_fingerprint(&desired);
		copy.fingerprint = plan_fingerprint(&copy);
		plan_digest(&desired, want);
		plan_digest(&copy, got);
		assert_string_equal(got, want);
		diff_plans(&desired, &copy, &none);
		assert_int_equal(none.n, 0);
		plan_drop(&copy);
	}
}

static void test_origin_does_not_count(void **unused)
{
	AUTO(plan_drop) struct plan desired = { 0 }, actual = { 0 };
	AUTO(ops_drop) struct ops ops = { 0 };

	(void)unused;
	plan_rows_origin(&plan_shapes[SET_BY_USER], plan_rows_add(&desired, SET_BY_USER), 1);
	plan_rows_origin(&plan_shapes[SET_BY_USER], plan_rows_add(&actual, SET_BY_USER), 2);
	diff_plans(&desired, &actual, &ops);
	assert_int_equal(ops.n, 0);
}

static void test_changed_value(void **unused)
{
	AUTO(plan_drop) struct plan desired = { 0 }, actual = { 0 };
	AUTO(ops_drop) struct ops ops = { 0 };

	(void)unused;
	plan_rows_add(&desired, SET_SNAT4)[7] = 1;
	plan_rows_add(&actual, SET_SNAT4)[7] = 2;
	diff_plans(&desired, &actual, &ops);
	assert_int_equal(ops.n, 2);
	assert_int_equal(ops.at[0].verb, OP_DELETE);
	assert_ptr_equal(ops.at[0].row, actual.sets[SET_SNAT4].at);
	assert_int_equal(ops.at[1].verb, OP_ADD);
	assert_ptr_equal(ops.at[1].row, desired.sets[SET_SNAT4].at);
}

static bool needs_epoch(size_t n, ...)
{
	struct op ops[4];
	va_list sets;

	va_start(sets, n);
	for (size_t i = 0; i < n; i++)
		ops[i] = (struct op){ OP_ADD, va_arg(sets, int), NULL };
	va_end(sets);
	return diff_needs_epoch(ops, n);
}

static void test_needs_epoch(void **unused)
{
	(void)unused;
	assert_false(needs_epoch(0));
	assert_false(needs_epoch(2, SET_BY_USER, SET_BY_USER));		/* there or not */
	assert_false(needs_epoch(3, SET_USABLE4, SET_SNAT4, SET_OWN_RANGE4));	/* of numbers, not clients */
	assert_false(needs_epoch(3, SET_ZONE, SET_BY_CGROUP, SET_USABLE4));
	assert_true(needs_epoch(2, SET_BY_CGROUP, SET_BY_CGROUP_TO));	/* first one, then the other */
	assert_true(needs_epoch(2, SET_BY_USER, SET_OTHERWISE));
	assert_true(needs_epoch(1, SET_BY_USERS));			/* later than all else */
	assert_true(needs_epoch(1, SET_BYPASS4));
	assert_true(needs_epoch(1, SET_TURNED_USER));
	assert_true(needs_epoch(2, SET_USABLE4, SET_WHERE_PORT));
}

/* A rule goes from one key to another: that matters where a packet has both. */
static void test_moved(void **unused)
{
	const struct op user[] = {
		{ OP_DELETE, SET_BY_USER, NULL }, { OP_ADD, SET_BY_USER, NULL },
	};
	const struct op cgroup[] = {
		{ OP_DELETE, SET_BY_CGROUP, NULL }, { OP_ADD, SET_BY_CGROUP, NULL },
	};

	(void)unused;
	assert_false(diff_needs_epoch(user, 2));
	assert_true(diff_needs_epoch(cgroup, 2));
	assert_false(diff_needs_epoch(cgroup, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_origin_does_not_count),
		cmocka_unit_test(test_changed_value),
		cmocka_unit_test(test_needs_epoch),
		cmocka_unit_test(test_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
