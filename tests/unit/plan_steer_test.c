/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way out: whose packets carry a number, and which. */
#include "plan_text.h"

static void test_steer(void **unused)
{
	struct world world;

	(void)unused;
	usable_world(&world);
	PUSH(&world.facts.fwmark_rules,
	     ((struct fwmark_rule){ .mark = { 0x40002 }, .mask = { 0x4ffff } }));
	PUSH(&world.facts.fwmark_rules,
	     ((struct fwmark_rule){ .mark = { 4 }, .mask = { 4 } }));
	PUSH(&world.facts.fwmark_rules,	/* not our bits */
	     ((struct fwmark_rule){ .mark = { 0x10000 }, .mask = { 0xff0000 } }));
	build(&world);
	CHECK_SET(&world, SET_STEER, "2.2 2.10 4.2 4.10 5.2 5.10");
	world_drop(&world);
}

/* Numbers 1 to 5 are bindings', 6 and 7 are those of the uplinks. */
static void test_uplinks(void **unused)
{
	struct world world;

	(void)unused;
	usable_world(&world);
	world_uplink(&world, "one", "eth0");
	world_uplink(&world, "two", "eth1");
	world.model.bindings.at[0].uplink = 1;
	world.model.bindings.at[1].uplink = 0;
	world.model.bindings.at[1].interface = NULL;
	world_local(&world, "192.0.2.1", "eth1");
	world_local(&world, "192.0.2.2", "eth0");
	PUSH(&world.facts.fwmark_rules,	/* somebody else's: the uplink wins */
	     ((struct fwmark_rule){ .mark = { 2 }, .mask = { 0xffff } }));
	PUSH(&world.facts.fwmark_rules,
	     ((struct fwmark_rule){ .mark = { 5 }, .mask = { 0xffff } }));
	build(&world);
	assert_int_equal(world.plan.n_uplinks, 2);
	assert_int_equal(world.plan.uplink_marks[1].host, 7);
	/* 3 and 4 leave by the address of 1, so by its uplink, over IPv4 only */
	CHECK_SET(&world, SET_STEER, "1.2 1.10 2.2 2.10 3.2 4.2 5.2 5.10");
	CHECK_SET(&world, SET_HAS_UPLINK, "1.2 1.10 2.2 2.10 3.2 4.2");
	CHECK_SET(&world, SET_UPLINKS, "6 7");
	CHECK_SET(&world, SET_STEER_TO, "1.2=7 1.10=7 2.2=6 2.10=6 3.2=7 4.2=7");
	CHECK_SET(&world, SET_STEER_BIT, "1.2.1 1.2.2 1.2.4 1.10.1 1.10.2 1.10.4 2.2.2 2.2.4 "
		  "2.10.2 2.10.4 3.2.1 3.2.2 3.2.4 4.2.1 4.2.2 4.2.4");
	CHECK_SET(&world, SET_VIA, "1.2.eth1 1.10.eth1 2.2.eth0 2.10.eth0 3.2.eth1 4.2.eth1");
	CHECK_SET(&world, SET_ANSWER, "");
	PUSH(&world.facts.links, ((struct link){ .name = "eth0", .up = true, .strict = true }));
	PUSH(&world.facts.links,
	     ((struct link){
		     .name = "eth1", .up = true, .strict = true, .answer_marked = true }));
	build(&world);
	CHECK_SET(&world, SET_ANSWER, "1 3 4");
	world_drop(&world);
}

/* What is alive keeps its way and its address. */
static void test_uplink_of_unusable(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	world_binding(&world, "default", "");
	world_binding(&world, "a", "192.0.2.2");
	world_uplink(&world, "one", "eth0");
	world.model.bindings.at[1].uplink = 0;
	build(&world);
	CHECK_SET(&world, SET_USABLE4, "");
	CHECK_SET(&world, SET_STEER_TO, "2.2=3 2.10=3");
	CHECK_SET(&world, SET_VIA, "2.2.eth0 2.10.eth0");
	CHECK_SET(&world, SET_OWN4, "2.192.0.2.2@0");
	CHECK_SET(&world, SET_SNAT4, "");
	world_drop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steer),
		cmocka_unit_test(test_uplinks),
		cmocka_unit_test(test_uplink_of_unusable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
