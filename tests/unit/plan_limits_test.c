/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits as rows: whose mark is where, what it may not exceed, and where its number can lead. */
#include "plan_support.h"

#include "plan/plan_limits.h"
#include "plan_text.h"

static struct limits limits;

static bool has(const struct world *world, enum set_id set, uint32_t binding)
{
	const struct set_shape *shape = &plan_shapes[set];
	const struct rows *rows = &world->plan.sets[set];

	for (size_t i = 0; i < rows->n; i++)
		if (memcmp(rows->at + i * shape->row_len, &world->plan.marks[binding],
			   sizeof(uint32_t)) == 0)
			return true;
	return false;
}

static bool leads(const struct world *world, uint32_t from, uint32_t to)
{
	uint32_t key[] = { world->plan.marks[from].host, world->plan.marks[to].host };

	return plan_find(&world->plan, SET_MEMBERS, (const uint8_t *)key) != NULL;
}

/* a: 0, b: 1, c: 2, all usable over IPv4. */
static void three(struct world *world)
{
	world_init(world);
	world_binding(world, "a", "192.0.2.1");
	world_binding(world, "b", "192.0.2.2");
	world_binding(world, "c", "192.0.2.3");
	for (int i = 1; i <= 3; i++) {
		char ip[IP_TEXT];

		snprintf(ip, sizeof ip, "192.0.2.%d", i);
		world_local(world, ip, "eth0");
	}
}

static void test_rows(void **unused)
{
	struct world world;
	uint32_t value[3];
	const uint8_t *row;

	(void)unused;
	three(&world);
	limits = (struct limits){ .connections = 20, .connections_to = 5, .new = { 10, 60, 30 },
				  .new_to = { 2, 1, 4 } };
	world.model.bindings.at[0].limits = &limits;
	world.model.bindings.at[0].overflow = 1;
	assert_int_equal(world_build(&world, &world.plan), 0);
	assert_false(has(&world, SET_USABLE4, 0));
	assert_true(has(&world, SET_LIMITED4, 0));
	assert_true(has(&world, SET_USABLE4, 1));
	assert_false(has(&world, SET_LIMITED4, 1));
	row = plan_find(&world.plan, SET_LIMIT_CONNECTIONS, (uint8_t *)&world.plan.marks[0]);
	assert_non_null(row);
	assert_int_equal(get_host32(row + 4), 20);
	row = plan_find(&world.plan, SET_LIMIT_NEW, (uint8_t *)&world.plan.marks[0]);
	assert_non_null(row);
	memcpy(value, row + 4, sizeof value);
	assert_int_equal(value[0], 10);
	assert_int_equal(value[1], 60);
	assert_int_equal(value[2], 30);
	assert_true(has(&world, SET_CONNECTIONS_TO, 0));
	assert_true(has(&world, SET_NEW_TO, 0));
	row = plan_find(&world.plan, SET_OVERFLOW, (uint8_t *)&world.plan.marks[0]);
	assert_int_equal(get_host32(row + 4), world.plan.marks[1].host);
	assert_true(leads(&world, 0, 1));
	assert_false(leads(&world, 1, 0));
	world_drop(&world);
}

/* A group leads to its members and to where their overflows lead; a suspended group has no rows. */
static void test_leads(void **unused)
{
	static const uint32_t members[][2] = { { 0, 1 }, { 1, 1 } };
	struct world world;
	uint32_t group;

	(void)unused;
	three(&world);
	limits = (struct limits){ .connections = 1 };
	world.model.bindings.at[1].limits = &limits;
	world.model.bindings.at[1].overflow = 2;
	group = world_group(&world, "g", PICK_TO, members, 2);
	world.model.bindings.at[group].limits = &limits;
	assert_int_equal(world_build(&world, &world.plan), 0);
	assert_true(leads(&world, group, 0));
	assert_true(leads(&world, group, 1));
	assert_true(leads(&world, group, 2));
	assert_true(leads(&world, 1, 2));
	assert_false(leads(&world, group, group));
	assert_true(has(&world, SET_LIMITED4, group));
	assert_false(has(&world, SET_LIMITED6, group));
	world.facts.suspended = mem_zero(4, sizeof(bool));
	world.facts.suspended[group] = true;
	plan_drop(&world.plan);
	assert_int_equal(world_build(&world, &world.plan), 0);
	assert_false(has(&world, SET_LIMITED4, group));
	assert_false(has(&world, SET_PICK_TO4, group));
	assert_true(has(&world, SET_LIMIT_CONNECTIONS, group));
	world_drop(&world);
}

/* Another value per destination is another table; the same value of another binding is not. */
static void test_rules(void **unused)
{
	AUTO(plan_drop) struct plan before = { 0 };
	struct limits other = { .connections_to = 5 };
	struct world world;

	(void)unused;
	three(&world);
	limits = (struct limits){ .connections_to = 5 };
	world.model.bindings.at[0].limits = &limits;
	assert_int_equal(world_build(&world, &before), 0);
	world.model.bindings.at[1].limits = &other;
	assert_int_equal(world_build(&world, &world.plan), 0);
	assert_true(plan_same_rules(&before, &world.plan));
	other.connections_to = 6;
	plan_drop(&world.plan);
	assert_int_equal(world_build(&world, &world.plan), 0);
	assert_false(plan_same_rules(&before, &world.plan));
	world_drop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_leads),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
