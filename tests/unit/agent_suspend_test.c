/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent on a fake kernel: suspending a binding, what refuses it, and what it outlives. */
#include "agent_lab.h"
#include "base/mem.h"
#include "daemon/suspend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define AB	"binding a { address 192.0.2.1; }\nbinding b { address 192.0.2.2; }\n"
#define B	"binding b { address 192.0.2.2; }\n"
#define CHAIN	"binding a { address 192.0.2.9; unusable use b; }\n" B
#define HEAD	"outbind-suspended 1\n"		/* of version 0.1 */
#define A	"suspend a;\n"
#define B_	"suspend b;\n"

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

static uint32_t index_of(const struct lab *lab, const char *name)
{
	return model_find(&lab->agent.now->model, name);
}

static int suspend(struct lab *lab, const char *name, bool on)
{
	outcome_drop(&lab->out);
	return suspend_binding(&lab->agent, index_of(lab, name), on, &lab->out);
}

static bool usable(const struct lab *lab, const char *name)
{
	return plan_usable(&lab->agent.now->plan, index_of(lab, name), FAMILY_IPV4);
}

/* Kernel, plan, facts and digest say the same, and so does the file. */
static void assert_whole(struct lab *lab, const char *want_file)
{
	AUTO(mem_drop) char *text = NULL;
	char digest[DIGEST_TEXT];

	assert_true(fake_kernel_holds(&lab->fake, &lab->agent.now->plan));
	plan_digest(&lab->agent.now->plan, digest);
	assert_string_equal(lab->agent.digest, digest);
	assert_string_equal(lab->fake.plan_digest, digest);
	assert_memory_equal(lab->agent.facts.suspended, lab->agent.now->plan.suspended,
			    lab->agent.now->plan.n_bindings);
	text = lab_runtime(lab);
	assert_string_equal(text, want_file);
}

static void test_suspend_and_resume(void **state)
{
	struct lab *lab = *state;

	for (int owned = 1; owned >= 0; owned--) {
		lab->options.kernel.no_owner = !owned;
		assert_int_equal(lab_start(lab, AB), 0);
		lab->fake.n_commits = 0;
		assert_int_equal(suspend(lab, "a", true), 0);
		assert_int_equal(lab->out.operations, 1);
		assert_int_equal(lab->fake.n_commits, 1);
		assert_false(usable(lab, "a"));
		assert_true(usable(lab, "b"));
		assert_whole(lab, A);
		assert_int_equal(suspend(lab, "a", true), 0);
		assert_int_equal(lab->out.operations, 0);
		assert_int_equal(lab->fake.n_commits, 1);
		assert_int_equal(suspend(lab, "b", true), 0);
		assert_int_equal(suspend(lab, "a", false), 0);
		assert_true(usable(lab, "a"));
		assert_whole(lab, B_);
		assert_int_equal(suspend(lab, "b", false), 0);
		assert_whole(lab, "");
		lab_kill(lab);
	}
}

/* Where the table is ours alone, nothing is read before the transaction; elsewhere it is. */
static void test_looks_only_where_it_must(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	lab->fake.races = 1;
	assert_int_equal(suspend(lab, "a", true), 0);
	assert_int_equal(lab->fake.n_replaces, 1);
	lab->options.kernel.no_owner = true;
	lab->fake.fail_read = -ENOBUFS;
	assert_int_equal(suspend(lab, "b", true), -EREMOTEIO);
	assert_true(usable(lab, "b"));
	lab->fake.races = 2;
	assert_int_equal(suspend(lab, "b", true), 0);
	assert_int_equal(lab->fake.n_replaces, 1);
	assert_whole(lab, A B_);
}

static void test_refused_commit(void **state)
{
	static const char *const confs[] = { AB, CHAIN };
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(confs); i++) {
		for (int owned = 1; owned >= 0; owned--) {
			char digest[DIGEST_TEXT];

			lab->options.kernel.no_owner = !owned;
			assert_int_equal(lab_start(lab, confs[i]), 0);
			memcpy(digest, lab->agent.digest, sizeof digest);
			lab->fake.fail_commit = -EINVAL;
			assert_int_equal(suspend(lab, "b", true), -EREMOTEIO);
			assert_non_null(strstr(lab->out.text, "Invalid argument"));
			assert_true(usable(lab, "b"));
			assert_string_equal(lab->agent.digest, digest);
			assert_whole(lab, "");
			lab_kill(lab);
		}
	}
}

static void test_replaced_when_it_must(void **state)
{
	static const int errors[] = { -ENFILE, -EEXIST, -ENOENT };
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		lab->fake.fail_commit = errors[i];
		assert_int_equal(suspend(lab, "a", i % 2 == 0), 0);
		assert_true(lab->out.replaced);
		assert_whole(lab, i % 2 == 0 ? A : "");
	}
	fake_kernel_lose_table(&lab->fake);
	assert_int_equal(suspend(lab, "a", false), 0);
	assert_whole(lab, "");
	lab->fake.fail_commit = -ENOENT;
	lab->fake.fail_replace = -ENOMEM;
	assert_int_equal(suspend(lab, "a", true), -EREMOTEIO);
	assert_whole(lab, "");
}

static void test_state_write_fails(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(suspend(lab, "b", true), 0);
	for (enum state_step step = 0; step < STATE_STEPS; step++) {
		lab->fail_step = (int)step;
		assert_int_equal(suspend(lab, "a", true), -ENOSPC);
		assert_non_null(strstr(lab->out.text, "No space"));
		assert_true(usable(lab, "a"));
		assert_whole(lab, B_);
		assert_int_equal(suspend(lab, "b", false), -ENOSPC);
		assert_false(usable(lab, "b"));
		assert_whole(lab, B_);
	}
	lab->fail_step = -1;
	assert_int_equal(suspend(lab, "a", true), 0);
	assert_whole(lab, B_ A);
}

/* Neither disk nor kernel: what is in the kernel is put right by the next refresh. */
static void test_undo_fails(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	lab->fail_step = STATE_WRITE;
	lab->fake.fail_commit = -EINVAL;
	lab->fake.fail_after = 1;
	assert_int_equal(suspend(lab, "a", true), -ENOSPC);
	assert_true(lab->agent.stale);
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	assert_true(usable(lab, "a"));
	assert_whole(lab, "");
}

static void test_outlives(void **state)
{
	struct lab *lab = *state;
	unsigned written;

	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(suspend(lab, "a", true), 0);
	assert_int_equal(lab_reload(lab, AB), 0);
	assert_int_equal(lab->out.operations, 0);
	assert_false(usable(lab, "a"));
	assert_int_equal(lab_reload(lab, "binding {"), -EINVAL);
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL | FACTS_CGROUPS), 0);
	assert_false(usable(lab, "a"));
	written = lab->fake.n_commits + lab->fake.n_replaces;
	lab_kill(lab);
	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(lab->fake.n_adopts, 1);
	assert_int_equal(lab->fake.n_commits + lab->fake.n_replaces, written);
	assert_false(usable(lab, "a"));
	assert_int_equal(lab_reload(lab, B), 0);	/* gone, and back again */
	assert_int_equal(suspend(lab, "b", true), 0);
	assert_int_equal(lab_reload(lab, AB), 0);
	assert_false(usable(lab, "a"));
	assert_int_equal(suspend(lab, "b", false), 0);
	assert_whole(lab, A);
}

static void test_stand_ins(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, CHAIN), 0);
	assert_true(usable(lab, "a"));
	assert_int_equal(suspend(lab, "b", true), 0);
	assert_int_equal(lab->out.operations, 2);
	assert_false(usable(lab, "a"));
	assert_whole(lab, B_);
	assert_int_equal(suspend(lab, "b", false), 0);
	assert_true(usable(lab, "a"));
	assert_whole(lab, "");
}

/* The file of names that version 0.1 left: read once, then it is gone. */
static void test_earlier_version(void **state)
{
	static const struct { const char *what, *text; unsigned line; } rows[] = {
		{ "cut off in the first line", "outbind-susp", 1 },
		{ "cut off", HEAD "a\nb", 3 },
		{ "an empty line", HEAD "\n", 2 },
		{ "not a name", HEAD "a\nb c\n", 3 },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char want[64];

		assert_int_equal(state_write(&lab->state, STATE_SUSPENDED, rows[i].text,
					     strlen(rows[i].text)), 0);
		assert_int_equal(lab_start(lab, AB), -EBADMSG);
		snprintf(want, sizeof want, "/suspended:%u:", rows[i].line);
		if (!strstr(lab->out.text, want))
			fail_msg("%s: got '%s', want %s", rows[i].what, lab->out.text, want);
		lab_kill(lab);
	}
	assert_int_equal(lab->fake.n_replaces, 0);
	assert_int_equal(state_write(&lab->state, STATE_SUSPENDED, HEAD "a\n", 22), 0);
	assert_int_equal(lab_start(lab, AB), 0);
	assert_false(usable(lab, "a"));
	assert_false(state_has(&lab->state, STATE_SUSPENDED));
	assert_whole(lab, A);
	lab_kill(lab);
	assert_int_equal(lab_start(lab, AB), 0);
	assert_whole(lab, A);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_suspend_and_resume), TEST(test_looks_only_where_it_must),
		TEST(test_refused_commit), TEST(test_replaced_when_it_must),
		TEST(test_state_write_fails), TEST(test_undo_fails), TEST(test_outlives),
		TEST(test_stand_ins), TEST(test_earlier_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
