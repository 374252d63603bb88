/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent on a fake kernel: starting over a table that is there, healing, and state files. */
#include "agent_lab.h"

#include "base/mem.h"
#include "plan/plan_keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define AB	"binding a { address 192.0.2.1; }\nbinding b { address 192.0.2.2; }\n"
#define BA	"binding b { address 192.0.2.2; }\nbinding a { address 192.0.2.1; }\n"
#define ABC	AB "binding c { address 192.0.2.3; }\n"
#define A	"binding a { address 192.0.2.1; }\n"

static int setup(void **state)
{
	return lab_setup(state, "192.0.2.1 192.0.2.3", NULL);
}

static void test_adoption_writes_nothing(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	lab_kill(lab);
	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(lab->fake.n_adopts, 1);
	assert_int_equal(lab->fake.n_replaces + lab->fake.n_commits, 1);
	assert_int_equal(lab_reload(lab, ABC), 0);
	assert_true(fake_kernel_holds(&lab->fake, &lab->agent.now->plan));
}

enum { OTHER_TEMPLATE, OTHER_PLAN, DAMAGED, NOT_ADOPTABLE, UNOWNED, CHANGED_CONF, UNSEEN };

static void test_not_adopted(void **state)
{
	static const struct { const char *what; int how; } rows[] = {
		{ "another template wrote it", OTHER_TEMPLATE },
		{ "other elements", OTHER_PLAN },
		{ "a chain is missing", DAMAGED },
		{ "the kernel cannot hand it over", NOT_ADOPTABLE },
		{ "made without an owner", UNOWNED },
		{ "the configuration changed meanwhile", CHANGED_CONF },
		{ "somebody may have changed elements meanwhile", UNSEEN },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lab *lab;
		void *fresh;

		setup(&fresh);
		lab = fresh;
		assert_int_equal(lab_start(lab, AB), 0);
		lab_kill(lab);
		if (rows[i].how == OTHER_TEMPLATE)
			lab->fake.template_digest[0] ^= 1;
		if (rows[i].how == OTHER_PLAN)
			lab->fake.plan_digest[0] ^= 1;
		lab->fake.damaged = rows[i].how == DAMAGED;
		lab->fake.generation += rows[i].how == UNSEEN;
		lab->fake.fail_adopt = rows[i].how == NOT_ADOPTABLE ? -ENOENT
			: rows[i].how == UNOWNED ? -EOPNOTSUPP : 0;
		assert_int_equal(lab_start(lab, rows[i].how == CHANGED_CONF ? ABC : AB), 0);
		if (lab->fake.n_replaces != 2 || lab->fake.n_adopts != 0)
			fail_msg("%s: got %u replacements, want 2", rows[i].what,
				 lab->fake.n_replaces);
		lab_teardown(&fresh);
	}
	(void)state;
}

static void test_start_refused(void **state)
{
	struct lab *lab = *state;

	lab->fake.state = TABLE_OWNED;
	lab->fake.owner = 4711;
	assert_int_equal(lab_start(lab, AB), -EBUSY);
	assert_non_null(strstr(lab->out.text, "4711"));
	lab->fake.state = TABLE_STRANGE;
	assert_int_equal(lab_start(lab, AB), -EEXIST);
	lab->fake.state = TABLE_NEWER;
	assert_int_equal(lab_start(lab, AB), -EPROTONOSUPPORT);
	assert_non_null(strstr(lab->out.text, "written by a newer outbindd"));
	lab->fake.state = TABLE_ABSENT;
	assert_int_equal(lab_start(lab, "nonsense"), -EINVAL);
	lab->fake.fail_replace = -EPERM;
	assert_int_equal(lab_start(lab, AB), -EREMOTEIO);
	assert_int_equal(lab->fake.n_replaces, 0);
	assert_null(lab->agent.now);
}

/* A file of a format that is not known: nothing is read, nothing written, whichever file it is. */
static void test_newer_state_refused(void **state)
{
	static const struct { const char *file, *text; bool refused; } rows[] = {
		{ "marks", "outbind-numbers 2\n1 0 a\n", true },
		{ "groups", "outbind-groups 2\n", true },
		{ "runtime.conf", "# outbind-runtime 2: changed at run time\n", true },
		{ "addresses", "outbind-addresses 12\n", true },
		{ "ways", "outbind-ways 2\n", true },
		{ "generation", "outbind-generation 2\nx\n", true },
		{ "identities", "outbind-identities 2\n", true },
		{ "warmup", "outbind-warmup 99999999999999999999999\n", true },
		{ "generation", "outbind-generation 1\nx\n", false },
		{ "generation", "outbind-generation\n", false },
		{ "generation", "2\n", false },
		{ "generation", "", false },
	};
	struct lab *lab = *state;
	char digest[DIGEST_TEXT];

	assert_int_equal(lab_start(lab, AB), 0);
	memcpy(digest, lab->fake.plan_digest, sizeof digest);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(mem_drop) char *before = NULL;
		size_t len;

		lab_kill(lab);
		assert_int_equal(state_read(&lab->state, rows[i].file, &before, &len), 0);
		assert_int_equal(state_write(&lab->state, rows[i].file, rows[i].text,
					     strlen(rows[i].text)), 0);
		if (lab_start(lab, AB) != (rows[i].refused ? -EPROTONOSUPPORT : 0))
			fail_msg("%s '%s': %s", rows[i].file, rows[i].text, lab->out.text);
		assert_string_equal(lab->fake.plan_digest, digest);
		if (!rows[i].refused)
			continue;
		assert_non_null(strstr(lab->out.text, rows[i].file));
		assert_int_equal(state_write(&lab->state, rows[i].file, before, len), 0);
		if (len == 0)
			state_remove(&lab->state, rows[i].file);
	}
}

/* What a removed binding's connections need is found again, also in a file of before it had a format. */
static void test_ways_kept(void **state)
{
	static const char with[] = "uplink u { interface eth1; gateway 192.0.2.254; table 100; }"
				   "binding a { address 192.0.2.1; uplink u; } "
				   "binding b { address 192.0.2.2; }";
	static const char without[] = "binding b { address 192.0.2.2; }";
	struct lab *lab = *state;
	struct fwmark a;

	assert_int_equal(lab_start(lab, with), 0);
	a.host = lab_mark(lab, "a");
	fake_kernel_connection(&lab->fake, a.host, 4000);
	assert_int_equal(lab_reload(lab, without), 0);
	assert_true(plan_keeps(&lab->agent.now->plan, a));
	for (int old = 0; old < 2; old++) {
		AUTO(mem_drop) char *text = NULL;
		size_t len, head = strlen("outbind-ways 1\n");

		assert_int_equal(state_read(&lab->state, "ways", &text, &len), 0);
		assert_memory_equal(text, "outbind-ways 1\n", head);
		lab_kill(lab);
		if (old)
			assert_int_equal(state_write(&lab->state, "ways", text + head, len - head), 0);
		assert_int_equal(lab_start(lab, without), 0);
		assert_true(plan_keeps(&lab->agent.now->plan, a));
	}
}

/* A live table survives a configuration that cannot be read. */
static void test_bad_configuration_leaves_table(void **state)
{
	struct lab *lab = *state;
	char digest[DIGEST_TEXT];

	assert_int_equal(lab_start(lab, AB), 0);
	memcpy(digest, lab->fake.plan_digest, sizeof digest);
	lab_kill(lab);
	assert_int_equal(lab_start(lab, "binding {"), -EINVAL);
	assert_string_equal(lab->fake.plan_digest, digest);
	assert_int_equal(lab->fake.n_replaces, 1);
}

static void test_heal(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(agent_heal(&lab->agent, "test", false), 0);
	assert_int_equal(lab->fake.n_replaces, 1);
	fake_kernel_lose_table(&lab->fake);
	assert_int_equal(agent_heal(&lab->agent, "test", false), 0);
	lab->fake.damaged = true;
	assert_int_equal(agent_heal(&lab->agent, "test", false), 0);
	lab->fake.plan_digest[3] ^= 1;
	assert_int_equal(agent_heal(&lab->agent, "test", false), 0);
	assert_int_equal(agent_heal(&lab->agent, "test", true), 0);
	assert_int_equal(lab->agent.heals, 4);
	assert_int_equal(lab->fake.n_replaces, 5);
	assert_true(fake_kernel_holds(&lab->fake, &lab->agent.now->plan));
}

static void test_heal_that_fails(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	lab->fake.fail_read = -ENOBUFS;
	assert_int_equal(agent_heal(&lab->agent, "test", false), -ENOBUFS);
	assert_true(lab->agent.suspect);
	fake_kernel_lose_table(&lab->fake);
	lab->fake.fail_replace = -ENOMEM;
	assert_int_equal(agent_heal(&lab->agent, "test", false), -EREMOTEIO);
	assert_true(lab->agent.suspect);
	lab->fake.state = TABLE_OWNED;
	assert_int_equal(agent_heal(&lab->agent, "test", false), -EBUSY);
	lab->fake.state = TABLE_ABSENT;
	assert_int_equal(agent_heal(&lab->agent, "test", false), 0);
	assert_false(lab->agent.suspect);
	assert_int_equal(lab->agent.heals, 1);
}

static void test_numbers_stay(void **state)
{
	struct lab *lab = *state;
	uint32_t a, b;

	assert_int_equal(lab_start(lab, AB), 0);
	a = lab_mark(lab, "a");
	b = lab_mark(lab, "b");
	assert_int_equal(lab_reload(lab, BA), 0);
	assert_int_equal(lab_mark(lab, "a"), a);
	assert_int_equal(lab_reload(lab, A), 0);
	lab_kill(lab);
	assert_int_equal(lab_start(lab, ABC), 0);
	assert_int_equal(lab_mark(lab, "a"), a);
	assert_int_equal(lab_mark(lab, "b"), b);
	assert_int_not_equal(lab_mark(lab, "c"), a);
	assert_int_not_equal(lab_mark(lab, "c"), b);
}

static void test_state_write_fails(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	for (enum state_step step = 0; step < STATE_STEPS; step++) {
		AUTO(mem_drop) char *before = lab_marks(lab);
		AUTO(mem_drop) char *after = NULL;
		uint32_t a = lab_mark(lab, "a");

		lab->fail_step = (int)step;
		assert_int_equal(lab_reload(lab, ABC), -ENOSPC);
		assert_non_null(strstr(lab->out.text, "No space"));
		assert_int_equal(lab->agent.now->model.bindings.n, 2);
		assert_int_equal(lab->fake.n_commits, 0);
		assert_int_equal(lab_mark(lab, "a"), a);
		after = lab_marks(lab);
		if (step < STATE_SYNC_DIR && strcmp(before, after) != 0)
			fail_msg("step %u: got '%s', want '%s'", step, after, before);
		lab->fail_step = -1;
	}
	assert_int_equal(lab_reload(lab, ABC), 0);
	assert_true(fake_kernel_holds(&lab->fake, &lab->agent.now->plan));
}

static void test_corrupt_state(void **state)
{
	static const char text[] = "outbind-numbers 1\n1 0 a\nnot a line\n";
	struct lab *lab = *state;

	assert_int_equal(state_write(&lab->state, STATE_MARKS, text, sizeof text - 1), 0);
	assert_int_equal(lab_start(lab, AB), -EBADMSG);
	assert_non_null(strstr(lab->out.text, "marks:3:"));
	assert_int_equal(lab->fake.n_replaces, 0);
}

static void test_state_dir_is_exclusive(void **state)
{
	struct lab *lab = *state;
	struct state second;

	assert_int_equal(state_open(lab->dir, &second), -EBUSY);
}

/* The kernel refuses after numbers were saved: the numbers of what runs stay what they are. */
static void test_refusal_after_numbers(void **state)
{
	struct lab *lab = *state;
	uint32_t b;

	assert_int_equal(lab_start(lab, AB), 0);
	b = lab_mark(lab, "b");
	lab->fake.fail_commit = -EINVAL;
	assert_int_equal(lab_reload(lab, "binding c { address 192.0.2.3; }"), -EREMOTEIO);
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	assert_int_equal(lab_mark(lab, "b"), b);
	assert_int_equal(lab_reload(lab, ABC), 0);
	assert_int_equal(lab_mark(lab, "b"), b);
	lab_kill(lab);
	assert_int_equal(lab_start(lab, ABC), 0);
	assert_int_equal(lab_mark(lab, "b"), b);
}

/* A mask of five numbers: what a connection carries is not given away, by another agent neither. */
static void test_carried_number_stays(void **state)
{
	struct lab *lab = *state;
	uint32_t a;

	assert_int_equal(lab_start(lab, "mark-mask 7; binding a { address 192.0.2.1; }"
				   "binding b { address 192.0.2.2; } binding c { address 192.0.2.3; }"
				   "binding d { address 192.0.2.4; } binding e { address 192.0.2.5; }"), 0);
	a = lab_mark(lab, "a");
	fake_kernel_connection(&lab->fake, a, 4000);
	assert_int_equal(lab_reload(lab, "mark-mask 7; binding c { address 192.0.2.3; }"
				    "binding d { address 192.0.2.4; } binding e { address 192.0.2.5; }"), 0);
	lab_kill(lab);
	assert_int_equal(lab_start(lab, "mark-mask 7; binding c { address 192.0.2.3; }"
				   "binding d { address 192.0.2.4; } binding e { address 192.0.2.5; }"
				   "binding f { address 192.0.2.6; }"), 0);
	assert_int_equal(lab_mark(lab, "f"), 2);	/* b's */
	assert_int_equal(lab_reload(lab, "mark-mask 7; binding c { address 192.0.2.3; }"
				    "binding d { address 192.0.2.4; } binding e { address 192.0.2.5; }"
				    "binding f { address 192.0.2.6; } binding g { address 192.0.2.7; }"),
			 -EINVAL);
	assert_non_null(strstr(lab->out.problems.at[0].text, "still carried"));
	fake_kernel_end(&lab->fake, a);
	assert_int_equal(lab_reload(lab, lab->conf), 0);
	assert_int_equal(lab_mark(lab, "g"), a);
	assert_int_equal(lab_mark(lab, "f"), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_adoption_writes_nothing), TEST(test_not_adopted),
		TEST(test_start_refused), TEST(test_newer_state_refused),
		TEST(test_start_refused), TEST(test_ways_kept),
		TEST(test_bad_configuration_leaves_table),
		TEST(test_heal), TEST(test_heal_that_fails),
		TEST(test_numbers_stay), TEST(test_state_write_fails), TEST(test_corrupt_state),
		TEST(test_state_dir_is_exclusive), TEST(test_refusal_after_numbers),
		TEST(test_carried_number_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
