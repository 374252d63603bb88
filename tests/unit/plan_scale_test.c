/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Large models, bounded by work and not by time: comparisons are counted in our own qsort(), and
 * each case is built at two sizes, so that quadratic behaviour shows as a ratio. What a quarter of a
 * million rules may cost in rows is checked exactly.
 */
#include "plan_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static size_t comparisons;

struct counting { int (*compare)(const void *, const void *); };

static int counted(const void *a, const void *b, void *counting)
{
	comparisons++;
	return ((const struct counting *)counting)->compare(a, b);
}

/* In place of the C library's, for all that is linked into this program. */
void qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	struct counting counting = { compare };

	qsort_r(base, n, size, counted, &counting);
}

static double seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static void add_bindings(struct world *world, uint32_t n)
{
	char name[16], address[IP_TEXT];

	world->model.mask.host = 0x3fffff;
	for (uint32_t i = 0; i < n; i++) {
		sprintf(name, "b%u", i);
		sprintf(address, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		world_binding(world, name, address);
	}
	PUSH(&world->facts.local, prefix_of("10.0.0.0/8"));
}

static void build(struct world *world, const char *what)
{
	double start = seconds();
	int r;

	comparisons = 0;
	r = world_build(world, &world->plan);
	if (r < 0)
		fail_msg("%s: %d %s", what, r, world->diag.n ? world->diag.at[0].text : "");
	print_message("%s: %zu comparisons, %.2f s\n", what, comparisons, seconds() - start);
}

static size_t plain_users(uint32_t n)
{
	struct world world;

	world_init(&world);
	add_bindings(&world, n);
	for (uint32_t i = 0; i < n; i++)
		world_rule(&world, users(100000 + i, 100000 + i), NULL, ACTION_USE, n - 1 - i);
	build(&world, "a binding and a user each");
	assert_int_equal(world.plan.sets[SET_BY_USER].n, n);
	assert_int_equal(world.plan.sets[SET_SNAT4].n, n);
	assert_int_equal(world.plan.sets[SET_OWN4].n, n);
	assert_int_equal(world.plan.sets[SET_BY_USER].room, n);
	world_drop(&world);
	return comparisons;
}

static size_t users_with_port(uint32_t n)
{
	struct world world;
	const struct destination *mail;

	world_init(&world);
	add_bindings(&world, 100);
	mail = world_to(&world, "", "25", "");
	for (uint32_t i = 0; i < n; i++)
		world_rule(&world, users(i, i), mail, ACTION_USE, i % 100);
	build(&world, "users with port 25");
	assert_int_equal(world.plan.sets[SET_BY_USER_TO].n, n);
	assert_int_equal(world.plan.sets[SET_WHERE_PORT].n, 5);
	world_drop(&world);
	return comparisons;
}

/* Every rule has a prefix of its own, half of them within the other half. */
static size_t many_destinations(uint32_t n)
{
	struct world world;
	char text[IP_TEXT + 4];

	world_init(&world);
	add_bindings(&world, 2);
	for (uint32_t i = 0; i < n; i++) {
		sprintf(text, "172.%u.%u.0/%u", 16 + (i >> 9), i >> 1 & 255, i & 1 ? 24 : 25);
		world_rule(&world, users(i % 7, i % 7), world_to(&world, text, "", ""), ACTION_USE,
			   i & 1);
	}
	build(&world, "a prefix each");
	assert_int_equal(world.plan.sets[SET_TO4].n, n);
	world_drop(&world);
	return comparisons;
}

static size_t nested_ranges(uint32_t n)
{
	struct world world;
	const struct destination *mail;

	world_init(&world);
	add_bindings(&world, 2);
	mail = world_to(&world, "", "25", "");
	for (uint32_t i = 0; i < n; i++)
		world_rule(&world, users(i, 10 * n - i), i & 1 ? mail : NULL, ACTION_USE,
			   i / 2 & 1);
	build(&world, "ranges within ranges");
	assert_in_range(world.plan.sets[SET_BY_USERS].n, n / 3, n * 2);
	world_drop(&world);
	return comparisons;
}

static size_t source_prefixes(uint32_t n)
{
	struct world world;
	struct client client = { .kind = CLIENT_SOURCE };

	world_init(&world);
	add_bindings(&world, 2);
	for (uint32_t i = 0; i < n; i++) {
		client.source = (struct prefix){ { { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
						     (uint8_t)i }, 4 }, i & 1 ? 32 : 31 };
		world_rule(&world, client, NULL, ACTION_USE, i & 1);
	}
	build(&world, "sources");
	assert_int_equal(world.plan.sets[SET_BY_SOURCE4].n, n);
	assert_int_equal(world.plan.sets[SET_SOURCES4].n, 1);
	world_drop(&world);
	return comparisons;
}

static const struct {
	const char *what;
	size_t (*run)(uint32_t n);
	uint32_t n;
	size_t per_item;			/* comparisons */
} cases[] = {
	{ "a binding and a user each", plain_users, 200 * 1000, 1 },
	{ "users with port 25", users_with_port, 200 * 1000, 1 },
	{ "a prefix each", many_destinations, 10 * 1000, 200 },
	{ "ranges within ranges", nested_ranges, 50 * 1000, 80 },
	{ "sources", source_prefixes, 200 * 1000, 80 },
};

static void test_linear(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t small = cases[i].run(cases[i].n / 4), large = cases[i].run(cases[i].n);

		if (large > cases[i].per_item * cases[i].n || large > small * 6 + cases[i].n)
			fail_msg("%s: %zu comparisons for %u, %zu for a quarter", cases[i].what,
				 large, cases[i].n, small);
	}
}

/* One list of 10,000 prefixes is one label, however many users have it. */
static void test_long_list(void **unused)
{
	struct world world;
	struct destination_lists lists = { 0 };
	const struct destination *to;

	(void)unused;
	world_init(&world);
	add_bindings(&world, 2);
	for (uint32_t i = 0; i < 10000; i++)
		PUSH(&lists.prefixes, ((struct prefix){ { { 198, (uint8_t)(i >> 7),
							    (uint8_t)(i << 1), 0 }, 4 }, 24 }));
	PUSH(&lists.ports, ((struct port_range){ 25, 25 }));
	to = destination_intern(&world.pool, &world.model.arena, &lists);
	destination_lists_drop(&lists);
	for (uint32_t i = 0; i < 100000; i++)
		world_rule(&world, users(i, i), i & 1 ? to : world_to(&world, "", "25", ""),
			   ACTION_USE, i & 1);
	build(&world, "a list of 10,000 prefixes");
	assert_int_equal(world.plan.sets[SET_TO4].n, 10000);
	assert_int_equal(world.plan.sets[SET_WHERE_PORT].n, 10);
	assert_int_equal(world.plan.sets[SET_BY_USER_TO].n, 150000);
	world_drop(&world);
}

/* 20,000 users times 1,001 classes is more than the kernel is asked to hold. */
static void test_too_many(void **unused)
{
	struct world world;
	char text[IP_TEXT + 4];

	(void)unused;
	world_init(&world);
	add_bindings(&world, 2);
	for (uint32_t i = 0; i < 1000; i++) {
		sprintf(text, "172.16.%u.%u", i >> 8, i & 255);
		world_rule(&world, otherwise(), world_to(&world, text, "", ""), ACTION_PASS, 0);
	}
	for (uint32_t i = 0; i < 20000; i++)
		world_rule(&world, users(i, i), world_to(&world, "", "25", ""), ACTION_PASS, 0);
	assert_int_equal(world_build(&world, &world.plan), -E2BIG);
	assert_int_equal(world.diag.n_errors, 1);
	print_message("%s\n", world.diag.at[0].text);
	world_drop(&world);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_long_list),
		cmocka_unit_test(test_too_many),
	};

	if (argc > 1)				/* by hand: plan_scale_test 1000000 */
		return plain_users((uint32_t)atoi(argv[1])) == SIZE_MAX;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
