/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shares of members: exact to a slot whatever happened before, and nothing moves that need not. */
#include "plan_support.h"

#include "plan/share.h"
#include "roll.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { HISTORIES = 200, STEPS = 30 };

/* A world with one group of the bindings whose weight is not 0; they are called b0, b1, ... */
static void weigh(struct world *world, const uint32_t *weights, uint32_t n, enum pick pick)
{
	uint32_t members[MEMBERS_MAX][2], some = 0;
	char name[16];

	world_init(world);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof name, "b%u", i);
		world_binding(world, name, "");
		if (weights[i] == 0)
			continue;
		members[some][0] = i;
		members[some++][1] = weights[i];
	}
	world_group(world, "pool", pick, members, some);
}

/* Slots by binding (the number in its name), from those by member. */
static void owners(const struct shares *shares, uint32_t ret[SHARE_SLOTS])
{
	const struct share *share = shares_find(shares, "pool");

	assert_non_null(share);
	for (size_t s = 0; s < SHARE_SLOTS; s++) {
		assert_true(share->slots[s] < share->n_members);
		ret[s] = (uint32_t)atoi(share->members[share->slots[s]] + 1);
	}
}

static void assert_exact(const uint32_t *of, const uint32_t *weights, uint32_t n)
{
	uint32_t total = 0;

	for (uint32_t i = 0; i < n; i++)
		total += weights[i];
	for (uint32_t i = 0; i < n; i++) {
		uint32_t has = 0;

		for (size_t s = 0; s < SHARE_SLOTS; s++)
			has += of[s] == i;
		if (weights[i] == 0) {
			assert_int_equal(has, 0);
			continue;
		}
		assert_in_range(has, 1, SHARE_SLOTS);
		if (has > 1 && has * total > weights[i] * SHARE_SLOTS + total)
			fail_msg("binding %u: %u slots for weight %u of %u", i, has, weights[i], total);
	}
}

/* Members come and go and change their weights; each step is exact and keeps what it can. */
static void test_history(void **unused)
{
	(void)unused;
	for (uint32_t seed = 0; seed < HISTORIES; seed++) {
		AUTO(shares_drop) struct shares shares = { 0 };
		uint32_t weights[8] = { 1 }, before[SHARE_SLOTS], now[SHARE_SLOTS];
		bool changed;

		roll_state = seed;
		for (int step = 0; step < STEPS; step++) {
			uint32_t which = roll(8), was = weights[which], others = 0;
			struct world world;

			weights[which] = step == 0 || roll(3) ? 1 + roll(9) : 0;
			for (uint32_t i = 0; i < 8; i++)
				others += i == which ? 0 : weights[i];
			if (others + weights[which] == 0)
				weights[which] = 1;
			weigh(&world, weights, 8, PICK_TO);
			shares_assign(&shares, &world.model, &changed);
			owners(&shares, now);
			assert_exact(now, weights, 8);
			shares_assign(&shares, &world.model, &changed);
			assert_false(changed);
			world_drop(&world);
			for (size_t s = 0; s < SHARE_SLOTS && step > 0; s++) {
				if (before[s] == now[s])
					continue;
				if (weights[which] == 0 && before[s] != which)
					fail_msg("seed %u: one went, another's slot moved", seed);
				if (was == 0 && now[s] != which)
					fail_msg("seed %u: one came, a slot went elsewhere", seed);
			}
			memcpy(before, now, sizeof before);
		}
	}
}

static void test_text(void **unused)
{
	AUTO(shares_drop) struct shares shares = { 0 }, again = { 0 };
	AUTO(mem_drop) char *text = NULL, *second = NULL;
	uint32_t weights[] = { 3, 1, 5 }, line;
	struct world world;
	bool changed;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)unused;
	weigh(&world, weights, 3, PICK_CLIENT);
	shares_assign(&shares, &world.model, &changed);
	assert_true(changed);
	world_drop(&world);
	shares_write(&shares, out);
	fclose(out);
	assert_int_equal(shares_read(text, len, &again, &line), 0);
	out = open_memstream(&second, &len);
	shares_write(&again, out);
	fclose(out);
	assert_string_equal(text, second);
	for (size_t cut = 1; cut < len; cut++) {	/* a file that was cut off anywhere */
		AUTO(shares_drop) struct shares part = { 0 };

		if (cut != strlen("outbind-groups 1\n") && shares_read(text, cut, &part, &line) == 0)
			fail_msg("%zu of %zu octets are taken for the whole", cut, len);
	}
}

static void test_bad_text(void **unused)
{
	static const struct { const char *what, *text; uint32_t line; } rows[] = {
		{ "another version", "outbind-groups 2\n", 1 },
		{ "a slot too high", "outbind-groups 1\ng a 0-251\n", 2 },
		{ "a slot twice", "outbind-groups 1\ng a 0-250 3\n", 2 },
		{ "two have one slot", "outbind-groups 1\ng a 0-250\ng b 4\n", 3 },
		{ "a slot of nobody", "outbind-groups 1\ng a 0-249\n", 2 },
		{ "a slot of nobody, and another group", "outbind-groups 1\ng a 0-249\nh a 0-250\n", 3 },
		{ "backwards", "outbind-groups 1\ng a 250-0\n", 2 },
		{ "no number", "outbind-groups 1\ng a x\n", 2 },
		{ "minus", "outbind-groups 1\ng a -3\n", 2 },
		{ "a group twice", "outbind-groups 1\ng a 0-250\ng a 0-250\n", 3 },
		{ "not in order", "outbind-groups 1\nh a 0-250\ng a 0-250\n", 3 },
		{ "no member", "outbind-groups 1\ng\n", 2 },
		{ "an empty line", "outbind-groups 1\n\n", 2 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(shares_drop) struct shares shares = { 0 };
		uint32_t line = 0;

		if (shares_read(rows[i].text, strlen(rows[i].text), &shares, &line) != -EINVAL ||
		    line != rows[i].line)
			fail_msg("%s: line %u", rows[i].what, line);
	}
}

/* A slot of who is not usable goes to the others by their weights, the same one every time. */
static void test_fall_back(void **unused)
{
	static const struct member members[] = { { .weight = 1 }, { .weight = 3 }, { .weight = 6 },
						 { .weight = 5 } };
	static const char *const names[] = { "a", "b", "c", "d" };
	static const bool usable[] = { true, true, true, false };
	uint32_t has[4] = { 0 };

	(void)unused;
	for (uint32_t slot = 0; slot < 100000; slot++) {
		static const bool less[] = { true, false, true, false };
		size_t to = share_fall_back(members, names, usable, 4, slot);

		has[to]++;
		if (to != 1)
			assert_int_equal(share_fall_back(members, names, less, 4, slot), to);
	}
	assert_in_range(has[0], 9500, 10500);
	assert_in_range(has[1], 29000, 31000);
	assert_in_range(has[2], 59000, 61000);
	assert_int_equal(has[3], 0);
}

static void test_turn(void **unused)
{
	static const struct member members[] = { { .weight = 3 },
						 { .weight = 7 },
						 { .weight = 1 } };
	static const bool usable[] = { true, false, true };
	uint8_t slots[SHARE_SLOTS];
	uint32_t has[3] = { 0 };

	(void)unused;
	share_turn(members, usable, 3, slots);
	for (size_t s = 0; s < SHARE_SLOTS; s++)
		has[slots[s]]++;
	assert_in_range(has[0], 188, 189);
	assert_int_equal(has[1], 0);
	for (size_t s = 4; s < SHARE_SLOTS; s++)	/* 3 of any 4 in a row, not 188 in a row */
		assert_int_equal(slots[s] == 0, slots[s - 4] == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_fall_back),
		cmocka_unit_test(test_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
