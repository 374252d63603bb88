/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One binding changed in a plan that is there: what comes of it is what would have been built, the
 * operations turn one into the other, and taking it back leaves nothing behind. */
#include "plan_support.h"

#include "plan/plan_change.h"
#include "roll.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { WORLDS = 200, EDITS = 60, KEPT = 3 };	/* KEPT: bindings that rules use */

static const struct limits limits = { .connections = 7, .new = { 5, 60, 5 } };

static void random_addresses(struct world *world, uint32_t slot)
{
	struct binding *binding = &world->model.bindings.at[slot];

	binding->first_address = (uint32_t)world->model.addresses.n;
	binding->n_addresses = roll(5);
	binding->limits = roll(3) ? NULL : &limits;
	for (uint32_t i = 0; i < binding->n_addresses; i++) {
		struct address address = { .binding = slot };
		char text[40];

		snprintf(text, sizeof text, roll(2) ? "192.0.2.%u" : "2001:db8::%x",
			 roll(200));
		address.ip = ip_of(text);
		address.bits = address.ip.len * 8;
		PUSH(&world->model.addresses, address);
	}
}

static void name_of(char out[static 16], uint32_t slot)
{
	snprintf(out, 16, "b%u", slot);
}

static void random_world(struct world *world, uint64_t seed)
{
	char name[16];

	roll_state = seed;
	world_init(world);
	for (uint32_t i = 0; i < 120; i++) {
		char text[40];

		snprintf(text, sizeof text, roll(2) ? "192.0.2.%u" : "2001:db8::%x", roll(200));
		world_local(world, text, "eth0");
	}
	for (uint32_t i = 0; i < KEPT; i++) {
		name_of(name, i);
		world_binding(world, name, "");
		random_addresses(world, i);
		world_rule(world, users(i, i), NULL, ACTION_USE, i);
	}
	world->facts.suspended = mem_zero(1000, sizeof(bool));
	for (uint32_t i = 0; i < 1000; i++)
		world->facts.suspended[i] = roll(4) == 0;
	assert_int_equal(world_build(world, &world->plan), 0);
}

/* Add, change or remove a binding in the model; which one. */
static uint32_t edit(struct world *world)
{
	uint32_t slot = roll((uint32_t)world->model.bindings.n + 1);
	struct binding empty = { .unusable_use = NO_INDEX, .uplink = NO_INDEX,
				 .overflow = NO_INDEX };
	char name[16];

	name_of(name, slot);
	empty.name = arena_text(&world->model.arena, name, strlen(name));
	if (slot == world->model.bindings.n)
		model_add_binding(&world->model, &empty);
	else if (!world->model.bindings.at[slot].name)
		model_reuse_binding(&world->model, slot, &empty);
	else if (slot >= KEPT && roll(3) == 0)
		model_remove_binding(&world->model, slot);
	if (world->model.bindings.at[slot].name)
		random_addresses(world, slot);
	return slot;
}

static void assert_same(const struct plan *got, const struct plan *want, uint64_t seed)
{
	char a[33], b[33];

	plan_digest(got, a);
	plan_digest(want, b);
	if (strcmp(a, b) != 0 || plan_fingerprint(got) != got->fingerprint)
		fail_msg("seed %llu: the plan is another one", (unsigned long long)seed);
	for (int set = 0; set < SETS; set++)
		if (want->sets[set].n > 0)
			assert_memory_equal(got->sets[set].at, want->sets[set].at,
					    want->sets[set].n * plan_shapes[set].row_len);
	assert_int_equal(got->n_bindings, want->n_bindings);
	for (size_t i = 0; i < got->n_bindings; i++)
		assert_memory_equal(&got->usability[i], &want->usability[i],
				    sizeof got->usability[i]);
}

/* What plan_build() makes of the model as it is, with the number of a slot being its index + 1. */
static void build(struct world *world, struct plan *ret)
{
	uint32_t *numbers = mem_zero(world->model.bindings.n, sizeof *numbers);

	for (uint32_t i = 0; i < world->model.bindings.n; i++)
		numbers[i] = world->model.bindings.at[i].name ? i + 1 : 0;
	assert_int_equal(plan_build(&world->model, numbers, &world->facts, ret, &world->diag), 0);
	free(numbers);
}

static void test_same_as_built(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		struct world world;

		random_world(&world, seed);
		for (int i = 0; i < EDITS; i++) {
			struct plan_change change, again;
			struct plan before = { 0 }, fresh = { 0 };
			struct ops ops = { 0 };
			uint32_t slot;
			size_t n_bindings = world.model.bindings.n;

			build(&world, &before);
			slot = edit(&world);
			build(&world, &fresh);
			plan_change(&world.plan, &world.model, &world.facts, slot, slot + 1,
				    &change);
			assert_same(&world.plan, &fresh, seed);
			diff_plans(&fresh, &before, &ops);
			assert_int_equal(change.ops.n, ops.n);
			plan_change_undo(&world.plan, &change);
			assert_int_equal(world.plan.n_bindings, n_bindings);
			assert_same(&world.plan, &before, seed);
			plan_change(&world.plan, &world.model, &world.facts, slot, slot + 1,
				    &again);
			assert_same(&world.plan, &fresh, seed);
			plan_change_drop(&change);
			plan_change_drop(&again);
			ops_drop(&ops);
			plan_drop(&before);
			plan_drop(&fresh);
		}
		for (uint32_t i = 0; i < world.model.bindings.n; i++) {
			char name[16];

			name_of(name, i);
			assert_int_equal(model_find(&world.model, name),
					 world.model.bindings.at[i].name ? i : NO_INDEX);
		}
		world_drop(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
