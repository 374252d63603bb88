/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent on a fake kernel: what a change does, and what a refused change does not do. */
#include "agent_lab.h"
#include "daemon/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define ONE	"binding a { address 192.0.2.1; }\npolicy { user 1001 use a; }\n"
#define TWO	"binding a { address 192.0.2.1; }\nbinding b { address 192.0.2.2; }\n" \
		"policy {\n  user 1001 use a;\n  user 1002 use b;\n}\n"
#define MASKED	"mark-mask 0xff00;\n" ONE
#define BAD	"binding a { address 192.0.2.1; }\nbinding a { adress 192.0.2.2; }\n"

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);

	lab_init(lab);
	fake_kernel_address(&lab->fake, "192.0.2.1");
	fake_kernel_address(&lab->fake, "192.0.2.2");
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	lab_drop(*state);
	free(*state);
	return 0;
}

static void assert_true_state(const struct lab *lab)
{
	assert_true(fake_kernel_holds(&lab->fake, &lab->agent.now->plan));
}

static void test_start_writes_table(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, ONE), 0);
	assert_int_equal(lab->fake.n_replaces, 1);
	assert_true_state(lab);
	assert_int_equal(lab->agent.generation, 1);
}

static void test_reload_commits_difference(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, ONE), 0);
	assert_int_equal(lab_reload(lab, TWO), 0);
	assert_int_equal(lab->fake.n_replaces, 1);
	assert_int_equal(lab->fake.n_commits, 1);
	assert_int_equal(lab->fake.n_ops, lab->out.operations);
	assert_true_state(lab);
	assert_int_equal(lab_reload(lab, TWO), 0);
	assert_int_equal(lab->out.operations, 0);
	assert_int_equal(lab->fake.n_commits, 1);
	assert_int_equal(lab_reload(lab, ONE), 0);
	assert_true_state(lab);
}

static void test_refused_transaction(void **state)
{
	struct lab *lab = *state;
	char digest[DIGEST_TEXT];

	assert_int_equal(lab_start(lab, ONE), 0);
	memcpy(digest, lab->agent.digest, sizeof digest);
	lab->fake.fail_commit = -EINVAL;
	lab->fake.blame = true;
	lab->fake.blame_set = SET_BY_USER;
	assert_int_equal(lab_reload(lab, TWO), -EREMOTEIO);
	assert_string_equal(lab->out.place, "test.conf:5:3");
	assert_non_null(strstr(lab->out.text, "Invalid argument"));
	assert_string_equal(lab->agent.digest, digest);
	assert_int_equal(lab->agent.now->model.bindings.n, 1);
	assert_int_equal(lab->agent.generation, 1);
	assert_true_state(lab);
	assert_int_equal(lab_reload(lab, TWO), 0);
	assert_true_state(lab);
}

/* A deletion is refused: the row is of the plan in force, and so is its line. */
static void test_refused_deletion(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, TWO), 0);
	lab->fake.fail_commit = -EBUSY;
	lab->fake.blame = true;
	lab->fake.blame_set = SET_SNAT4;
	assert_int_equal(lab_reload(lab, ONE), -EREMOTEIO);
	assert_string_equal(lab->out.place, "test.conf:2:21");
	assert_int_equal(lab->agent.now->model.bindings.n, 2);
}

static void test_raced_generation(void **state)
{
	static const struct {
		const char *what;
		unsigned races;
		bool owned;
		unsigned replaces;
	} rows[] = {
		{ "once", 1, true, 0 },
		{ "as often as we try but once", 3, false, 0 },
		{ "always, but the table is ours alone", 4, true, 0 },
		{ "always, and anybody may write", 4, false, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lab *lab;
		void *fresh;

		setup(&fresh);
		lab = fresh;
		lab->options.kernel.no_owner = !rows[i].owned;
		assert_int_equal(lab_start(lab, ONE), 0);
		lab->fake.races = rows[i].races;
		assert_int_equal(lab_reload(lab, TWO), 0);
		if (lab->fake.n_replaces != 1 + rows[i].replaces)
			fail_msg("%s: got %u replacements, want %u", rows[i].what,
				 lab->fake.n_replaces - 1, rows[i].replaces);
		assert_true_state(lab);
		teardown(&fresh);
	}
	(void)state;
}

static void test_replaced_when_it_must(void **state)
{
	static const int errors[] = { -ENFILE, -EEXIST, -ENOENT };
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, ONE), 0);
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		lab->fake.fail_commit = errors[i];
		assert_int_equal(lab_reload(lab, i % 2 ? ONE : TWO), 0);
		assert_true(lab->out.replaced);
		assert_int_equal(lab->fake.n_replaces, 2 + i);
		assert_true_state(lab);
	}
	assert_int_equal(lab_reload(lab, MASKED), 0);
	assert_true(lab->out.replaced);
	assert_true_state(lab);
}

/* The table is gone when a change comes: written whole, and counted as healed. */
static void test_damage_found_by_change(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, ONE), 0);
	fake_kernel_lose_table(&lab->fake);
	assert_int_equal(lab_reload(lab, TWO), 0);
	assert_int_equal(lab->agent.heals, 1);
	assert_true_state(lab);
	lab->fake.state = TABLE_OWNED;
	assert_int_equal(lab_reload(lab, ONE), -EBUSY);
	assert_int_equal(lab->agent.now->model.bindings.n, 2);
}

static void test_problems_refuse_whole(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, TWO), 0);
	assert_int_equal(lab_reload(lab, BAD), -EINVAL);
	assert_true(lab->out.problems.n >= 2);
	assert_non_null(strstr(lab->out.problems.at[0].place, "test.conf:2:"));
	assert_int_equal(lab->agent.now->model.bindings.n, 2);
	assert_int_equal(lab->fake.n_commits, 0);
	assert_non_null(strstr(lab->agent.last_reload, "refused"));
	assert_true_state(lab);
}

static void test_facts(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, TWO), 0);
	fake_kernel_no_addresses(&lab->fake);
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	assert_int_equal(lab->agent.now->plan.usability[0].reason[FAMILY_IPV4], UNUSABLE_ABSENT);
	assert_true_state(lab);
	fake_kernel_address(&lab->fake, "192.0.2.2");
	lab->fake.fail_facts = -ENOBUFS;
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), -ENOBUFS);
	assert_true(lab->agent.stale);
	lab->fake.fail_commit = -ENOMEM;
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), -EREMOTEIO);
	assert_true(lab->agent.stale);
	assert_true_state(lab);
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	assert_false(lab->agent.stale);
	assert_int_equal(lab->agent.now->plan.usability[1].reason[FAMILY_IPV4], USABLE);
	assert_true_state(lab);
}

static void test_overlap_is_logged(void **state)
{
	struct lab *lab = *state;
	unsigned before = log_counts[EVENT_MARK_OVERLAP];

	fake_kernel_rule(&lab->fake, 0x1, 0xffffffff, 100);
	fake_kernel_rule(&lab->fake, 0x10000, 0x10000, 101);
	assert_int_equal(lab_start(lab, ONE), 0);
	assert_int_equal(log_counts[EVENT_MARK_OVERLAP] - before, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_start_writes_table), TEST(test_reload_commits_difference),
		TEST(test_refused_transaction), TEST(test_refused_deletion),
		TEST(test_raced_generation), TEST(test_replaced_when_it_must),
		TEST(test_damage_found_by_change), TEST(test_problems_refuse_whole),
		TEST(test_facts), TEST(test_overlap_is_logged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
