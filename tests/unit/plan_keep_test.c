/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a plan owes to connections that left by an uplink. */
#include "plan_text.h"

#include "plan/plan_keep.h"

/* Binding 2 with an uplink and @address, or without one. */
static void make(struct world *world, const char *address, bool uplink)
{
	world_init(world);
	world_binding(world, "default", "");
	world_binding(world, "a", address);
	world_local(world, "192.0.2.2", "eth0");
	world_local(world, "192.0.2.3", "eth0");
	world_uplink(world, "one", "eth0");
	if (uplink)
		world->model.bindings.at[1].uplink = 0;
	build(world);
}

static uint8_t *row_in(struct plan *plan, enum set_id set, size_t row)
{
	return plan->sets[set].at + row * plan_shapes[set].row_len;
}

static void test_gone(void **unused)
{
	struct world old, world;

	(void)unused;
	make(&old, "192.0.2.2", true);
	world_init(&world);
	world_binding(&world, "default", "");
	build(&world);
	for (int turn = 0; turn < 2; turn++) {	/* what was kept is kept again */
		plan_keep(&old.plan, &world.plan);
		CHECK_SET(&world, SET_HAS_UPLINK, "2.2 2.10");
		CHECK_SET(&world, SET_STEER_TO, "2.2=3 2.10=3");
		CHECK_SET(&world, SET_VIA, "2.2.eth0 2.10.eth0");
		CHECK_SET(&world, SET_USABLE4, "");
		CHECK_SET(&world, SET_SNAT4, "");
		assert_int_equal(world.plan.sets[SET_OWN4].n, 1);
		assert_true(world.plan.fingerprint == plan_fingerprint(&world.plan));
		assert_true(plan_keeps(&world.plan, (struct fwmark){ 2 }));
		assert_false(plan_keeps(&world.plan, (struct fwmark){ 1 }));
	}
	world_drop(&old);
	world_drop(&world);
}

static void test_other_address(void **unused)
{
	struct world old, world, again;

	(void)unused;
	make(&old, "192.0.2.2", true);
	make(&world, "192.0.2.3", true);
	plan_keep(&old.plan, &world.plan);
	CHECK_SET(&world, SET_OWN4, "2.192.0.2.3@0");
	CHECK_SET(&world, SET_KEPT4, "2.192.0.2.2");
	CHECK_SET(&world, SET_ELSEWHERE, "");
	make(&again, "192.0.2.2", true);
	plan_keep(&world.plan, &again.plan);
	CHECK_SET(&again, SET_KEPT4, "2.192.0.2.3");
	world_drop(&old);
	world_drop(&world);
	world_drop(&again);
}

/* The uplink leads out by another link now, and so by another provider. */
static void test_other_interface(void **unused)
{
	struct world old, world;

	(void)unused;
	make(&old, "192.0.2.2", true);
	make(&world, "192.0.2.3", true);
	memcpy(row_in(&world.plan, SET_VIA, 0) + 8, "eth7", 4);
	plan_keep(&old.plan, &world.plan);
	CHECK_SET(&world, SET_KEPT4, "");
	world_drop(&old);
	world_drop(&world);
}

static void test_uplink_taken_away(void **unused)
{
	struct world old, same, world, again;

	(void)unused;
	make(&old, "192.0.2.2", true);
	make(&same, "192.0.2.2", false);
	plan_keep(&old.plan, &same.plan);
	CHECK_SET(&same, SET_ELSEWHERE, "");	/* its address is said to leave by the main way now */
	make(&world, "192.0.2.3", false);
	plan_keep(&old.plan, &world.plan);
	CHECK_SET(&world, SET_ELSEWHERE, "2.2");
	CHECK_SET(&world, SET_STEER, "2.2");
	CHECK_SET(&world, SET_KEPT4, "");
	make(&again, "192.0.2.2", false);
	plan_keep(&world.plan, &again.plan);
	CHECK_SET(&again, SET_ELSEWHERE, "2.2");
	CHECK_SET(&again, SET_KEPT4, "2.192.0.2.3");
	world_drop(&old);
	world_drop(&same);
	world_drop(&world);
	world_drop(&again);
}

static void test_text(void **unused)
{
	struct world old, world, empty, again;
	struct plan kept = { 0 };
	char *text = NULL;
	unsigned line;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)unused;
	make(&old, "192.0.2.2", true);
	world_init(&world);
	world_binding(&world, "default", "");
	build(&world);
	plan_keep(&old.plan, &world.plan);
	plan_keep_write(&world.plan, out);
	fclose(out);
	assert_int_equal(plan_keep_read(text, len, &kept, &line), 0);
	world_init(&empty);
	world_binding(&empty, "default", "");
	build(&empty);
	plan_keep(&kept, &empty.plan);
	assert_true(empty.plan.fingerprint == world.plan.fingerprint);
	for (size_t cut = 1; cut < len; cut++) {	/* never a crash; whole lines are lines */
		plan_drop(&kept);
		kept = (struct plan){ 0 };
		if (plan_keep_read(text, cut, &kept, &line) < 0)
			assert_true(line > 0);
		else
			assert_true(text[cut - 1] == '\n');
	}
	plan_drop(&kept);
	assert_int_equal(plan_keep_read("mask 00001fff\nvia 0g\n", 21, &kept, &line), -EINVAL);
	assert_int_equal(line, 2);
	make(&again, "192.0.2.2", false);
	free(text);
	out = open_memstream(&text, &len);
	plan_keep_write(&again.plan, out);	/* nothing is kept */
	fclose(out);
	assert_int_equal(len, 0);
	free(text);
	world_drop(&old);
	world_drop(&world);
	world_drop(&empty);
	world_drop(&again);
}

static void test_nothing(void **unused)
{
	struct world old, world;
	unsigned __int128 before;

	(void)unused;
	make(&old, "192.0.2.2", false);
	make(&world, "192.0.2.3", false);
	before = world.plan.fingerprint;
	plan_keep(&old.plan, &world.plan);
	assert_true(before == world.plan.fingerprint);
	CHECK_SET(&world, SET_STEER, "");
	world_drop(&old);
	world_drop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_other_address),
		cmocka_unit_test(test_other_interface),
		cmocka_unit_test(test_uplink_taken_away),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
