/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What default-binding gives to traffic that no rule claims. */
#include "plan_text.h"

#include "plan/explain.h"
#include "plan/plan_suspend.h"

static void default_world(struct world *world, enum default_binding what, const char *addresses)
{
	world_init(world);
	world_binding(world, "default", addresses);
	world_binding(world, "a", "192.0.2.2");
	world_local(world, "192.0.2.1", "eth0");
	world_local(world, "192.0.2.2", "eth0");
	world_rule(world, users(33, 33), NULL, ACTION_USE, 1);
	world->model.default_binding = what;
	build(world);
}

static void test_rows(void **unused)
{
	static const struct {
		const char *what, *addresses;
		enum default_binding is;
		const char *otherwise, *usable;
		enum verdict unassigned, marked;
	} rows[] = {
		{ "unsaid", "192.0.2.1", DEFAULT_UNSAID, "", "1 2", VERDICT_UNASSIGNED, VERDICT_BINDING },
		{ "normal", "192.0.2.1", DEFAULT_NORMAL, "0=1", "1 2", VERDICT_BINDING, VERDICT_BINDING },
		{ "normal without addresses", "", DEFAULT_NORMAL, "", "2", VERDICT_UNASSIGNED,
		  VERDICT_UNUSABLE },
		{ "suspended", "192.0.2.1", DEFAULT_SUSPENDED, "0=1", "2", VERDICT_UNUSABLE,
		  VERDICT_UNUSABLE },
		{ "suspended without addresses", "", DEFAULT_SUSPENDED, "0=1", "2", VERDICT_UNUSABLE,
		  VERDICT_UNUSABLE },
		{ "reject", "192.0.2.1", DEFAULT_REJECT, "0=8190", "1 2", VERDICT_REJECT,
		  VERDICT_BINDING },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct packet packet = { .has_uid = true, .uid = 34, .to = ip_of("203.0.113.1"),
					 .protocol = PROTOCOL_TCP, .port = 25 };
		struct explanation told;
		struct world world;

		default_world(&world, rows[i].is, rows[i].addresses);
		CHECK_SET(&world, SET_OTHERWISE, rows[i].otherwise);
		CHECK_SET(&world, SET_USABLE4, rows[i].usable);
		explain_packet(&world.model, &world.plan, &packet, &told);
		if (told.verdict != rows[i].unassigned ||
		    told.by_default != (rows[i].unassigned != VERDICT_UNASSIGNED))
			fail_msg("%s: %s", rows[i].what, explain_verdict_text(told.verdict));
		packet.mark.host = 1;
		explain_packet(&world.model, &world.plan, &packet, &told);
		if (told.verdict != rows[i].marked || told.by_default)
			fail_msg("%s, marked: %s", rows[i].what, explain_verdict_text(told.verdict));
		packet.mark.host = 0;
		packet.uid = 33;
		explain_packet(&world.model, &world.plan, &packet, &told);
		assert_int_equal(told.verdict, VERDICT_BINDING);
		assert_false(told.by_default);
		world_drop(&world);
	}
}

/* An `otherwise` with a destination is narrower than the default. */
static void test_beside_qualified(void **unused)
{
	struct packet packet = { .to = ip_of("203.0.113.1"), .protocol = PROTOCOL_TCP, .port = 25 };
	struct explanation told;
	struct world world;

	(void)unused;
	default_world(&world, DEFAULT_REJECT, "");
	world_rule(&world, otherwise(), world_to(&world, "", "25", ""), ACTION_USE, 1);
	build(&world);
	explain_packet(&world.model, &world.plan, &packet, &told);
	assert_int_equal(told.verdict, VERDICT_BINDING);
	assert_int_equal(told.rule, 1);
	packet.port = 26;
	explain_packet(&world.model, &world.plan, &packet, &told);
	assert_int_equal(told.verdict, VERDICT_REJECT);
	assert_true(told.by_default);
	world_drop(&world);
}

/* What the configuration suspends is not resumed by a request. */
static void test_stays_suspended(void **unused)
{
	struct suspension change;
	struct world world;

	(void)unused;
	default_world(&world, DEFAULT_SUSPENDED, "192.0.2.1");
	plan_suspend(&world.plan, 0, false, &change);
	assert_int_equal(change.ops.n, 0);
	suspension_drop(&change);
	assert_true(world.plan.suspended[0]);
	plan_suspend(&world.plan, 1, true, &change);
	assert_int_equal(change.ops.n, 1);
	suspension_drop(&change);
	world_drop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_beside_qualified),
		cmocka_unit_test(test_stays_suspended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
