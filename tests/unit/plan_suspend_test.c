/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Suspended bindings in a plan: what is left of their rows, and that a plan which was changed in
 * place is the one that would have been built. */
#include "plan_support.h"

#include "plan/plan_suspend.h"
#include "roll.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MODELS = 300, CHANGES = 40 };

/* Limits at random, for about a third of bindings and groups. */
static void random_limits(struct world *world)
{
	static const struct limits limits = { .connections = 3, .connections_to = 2,
					      .new = { 5, 60, 7 }, .new_to = { 1, 1, 1 } };

	for (uint32_t i = 0; i < world->model.bindings.n; i++)
		if (roll(3) == 0)
			world->model.bindings.at[i].limits = &limits;
}

static void random_group(struct world *world, uint32_t n, uint32_t k)
{
	uint32_t members[12][2], some = 0;
	char name[16];

	for (uint32_t i = 0; i < n; i++)
		if (roll(2)) {
			members[some][0] = i;
			members[some++][1] = 1 + roll(5);
		}
	snprintf(name, sizeof name, "g%u", k);
	if (some)
		world_group(world, name, (enum pick)roll(4), members, some);
}

static void random_world(struct world *world, uint64_t seed)
{
	uint32_t n;

	roll_state = seed;
	n = 1 + roll(12);
	world_init(world);
	for (uint32_t i = 0; i < n; i++) {
		char name[16], text[128], *at = text;

		*at = '\0';
		for (uint32_t k = roll(4); k > 0; k--) {
			char one[40];

			snprintf(one, sizeof one, roll(2) ? "192.0.2.%u" : "2001:db8::%x",
				 i * 4 + k);
			if (roll(4))
				world_local(world, one, "eth0");
			at += sprintf(at, "%s ", one);
		}
		snprintf(name, sizeof name, "b%u", i);
		assert_int_equal(world_binding(world, name, text), i);
		world_rule(world, users(i, i), NULL, ACTION_USE, i);
	}
	for (uint32_t k = roll(4); k > 0; k--)
		random_group(world, n, k);
	random_limits(world);
	n = (uint32_t)world->model.bindings.n;
	world->facts.suspended = mem_zero(n, sizeof(bool));
	for (uint32_t i = 0; i < n; i++)
		world->facts.suspended[i] = roll(3) == 0;
}

static void assert_same(const struct plan *got, const struct plan *want, uint64_t seed)
{
	char a[33], b[33];

	plan_digest(got, a);
	plan_digest(want, b);
	if (strcmp(a, b) != 0 || plan_fingerprint(got) != want->fingerprint)
		fail_msg("model %u: got digest %s, want %s", (unsigned)seed, a, b);
	for (int i = 0; i < SETS; i++) {
		size_t bytes = want->sets[i].n * plan_shapes[i].row_len;

		if (got->sets[i].n != want->sets[i].n ||
		    (bytes && memcmp(got->sets[i].at, want->sets[i].at, bytes) != 0))
			fail_msg("model %u: set %s differs", (unsigned)seed, plan_shapes[i].name);
	}
	assert_memory_equal(got->suspended, want->suspended, want->n_bindings);
}

static int by_row(const void *left, const void *right)
{
	const struct op *a = left, *b = right;

	if (a->verb != b->verb || a->set != b->set)
		return (int)(a->verb * SETS + a->set) - (int)(b->verb * SETS + b->set);
	return memcmp(a->row, b->row, plan_shapes[a->set].row_len);
}

/* The operations that were told are those that a comparison of the two plans finds. */
static void assert_ops(const struct plan *before, const struct plan *after,
		       struct suspension *told)
{
	AUTO(ops_drop) struct ops ops = { 0 };

	diff_plans(after, before, &ops);
	assert_int_equal(told->ops.n, ops.n);
	for (size_t i = 1; i < ops.n; i++)	/* a key can be added when it has been deleted */
		assert_true(told->ops.at[i - 1].verb <= told->ops.at[i].verb ||
			    told->ops.at[i].set != told->ops.at[i - 1].set);
	if (ops.n) {
		qsort(ops.at, ops.n, sizeof *ops.at, by_row);
		qsort(told->ops.at, ops.n, sizeof *ops.at, by_row);
	}
	for (size_t i = 0; i < ops.n; i++) {
		assert_int_equal(told->ops.at[i].verb, ops.at[i].verb);
		assert_int_equal(told->ops.at[i].set, ops.at[i].set);
		assert_memory_equal(told->ops.at[i].row, ops.at[i].row,
				    plan_shapes[ops.at[i].set].row_len);
	}
}

static void test_in_place_is_as_built(void **unused)
{
	(void)unused;
	for (uint64_t seed = 0; seed < MODELS; seed++) {
		struct world world;

		random_world(&world, seed);
		assert_int_equal(world_build(&world, &world.plan), 0);
		for (int n = 0; n < CHANGES; n++) {
			AUTO(plan_drop) struct plan before = { 0 }, after = { 0 };
			uint32_t binding = roll((uint32_t)world.model.bindings.n);
			bool on = roll(2);
			AUTO(suspension_drop) struct suspension told = { 0 };

			assert_int_equal(world_build(&world, &before), 0);
			world.facts.suspended[binding] = on;
			assert_int_equal(world_build(&world, &after), 0);
			plan_suspend(&world.plan, binding, on, &told);
			assert_same(&world.plan, &after, seed);
			assert_ops(&before, &after, &told);
		}
		world_drop(&world);
	}
}

static bool has(const struct world *world, enum set_id set, uint32_t binding)
{
	return plan_find(&world->plan, set, (const uint8_t *)&world->plan.marks[binding]) != NULL;
}

static void test_rows_stay(void **unused)
{
	struct world world;
	AUTO(suspension_drop) struct suspension told = { 0 };

	(void)unused;
	world_init(&world);
	world_binding(&world, "a", "192.0.2.1 2001:db8::1");
	world_local(&world, "192.0.2.1", "eth0");
	assert_int_equal(world_build(&world, &world.plan), 0);
	assert_true(has(&world, SET_USABLE4, 0));
	assert_true(plan_usable(&world.plan, 0, FAMILY_IPV4));
	plan_suspend(&world.plan, 0, true, &told);
	assert_int_equal(told.ops.n, 1);
	assert_false(has(&world, SET_USABLE4, 0));
	assert_true(has(&world, SET_SNAT4, 0));
	assert_int_equal(world.plan.sets[SET_OWN4].n, 1);
	assert_false(plan_usable(&world.plan, 0, FAMILY_IPV4));
	assert_string_equal(plan_usable_text(&world.plan, 0, FAMILY_IPV6), "suspended");
	assert_int_equal(world.plan.usability[0].reason[FAMILY_IPV4], USABLE);
	assert_int_equal(world.plan.usability[0].reason[FAMILY_IPV6], UNUSABLE_ABSENT);
	suspension_drop(&told);
	plan_suspend(&world.plan, 0, true, &told);
	assert_int_equal(told.ops.n, 0);
	world_drop(&world);
}

/* a -> b -> c by `unusable use`; only c has an address that is here. */
static void test_stand_ins(void **unused)
{
	static const struct {
		const char *what;
		bool suspended[3], usable[3];
	} rows[] = {
		{ "none", { false, false, false }, { true, true, true } },
		{ "who stands in at the end", { false, false, true }, { false, false, false } },
		{ "one on the way", { false, true, false }, { false, false, true } },
		{ "the first alone", { true, false, false }, { false, true, true } },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world world;

		world_init(&world);
		world_binding(&world, "a", "192.0.2.1");
		world_binding(&world, "b", "192.0.2.2");
		world_binding(&world, "c", "192.0.2.3");
		world_local(&world, "192.0.2.3", "eth0");
		for (uint32_t b = 0; b < 2; b++) {
			world.model.bindings.at[b].unusable = UNUSABLE_USE;
			world.model.bindings.at[b].unusable_use = b + 1;
		}
		world.facts.suspended = mem_zero(3, sizeof(bool));
		memcpy(world.facts.suspended, rows[i].suspended, 3 * sizeof(bool));
		assert_int_equal(world_build(&world, &world.plan), 0);
		assert_true(world.plan.stand_ins);
		for (uint32_t b = 0; b < 3; b++) {
			bool got = plan_usable(&world.plan, b, FAMILY_IPV4);

			if (got != rows[i].usable[b] || got != has(&world, SET_USABLE4, b))
				fail_msg("%s: binding %u: got %d, want %d", rows[i].what, b, got,
					 rows[i].usable[b]);
			assert_true(has(&world, SET_SNAT4, b));
		}
		world_drop(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_place_is_as_built),
		cmocka_unit_test(test_rows_stay),
		cmocka_unit_test(test_stand_ins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
