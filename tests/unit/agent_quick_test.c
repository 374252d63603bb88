/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits in place: after any sequence of them, some refused by kernel or disk, the agent is what it
 * would be had it read everything anew. */
#include "agent_lab.h"
#include "base/mem.h"
#include "daemon/candidate.h"
#include "daemon/edit.h"
#include "daemon/quick.h"
#include "daemon/suspend.h"
#include "roll.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { SEEDS = 12, EDITS = 150, NAMES = 24 };

#define FILES	"binding f1 { address 192.0.2.101; }\nbinding f2 { address 192.0.2.102, 192.0.2.103; }\n" \
		"binding f3 { address 2001:db8::f3; ehlo f3.example; }\n" \
		"binding g1 { address 192.0.2.104; }\nbinding g2 { address 192.0.2.105; unusable use g1; }\n" \
		"policy { user 1001 use f1; user 1002 use g2; }\n"

static int setup(void **unused)
{
	struct lab *lab = calloc(1, sizeof *lab);

	lab_init(lab);
	for (int i = 1; i < 110; i += 1 + (i % 3 == 0)) {
		char text[32];

		snprintf(text, sizeof text, "192.0.2.%d", i);
		fake_kernel_address(&lab->fake, text);
	}
	*unused = lab;
	return 0;
}

static int teardown(void **unused)
{
	lab_drop(*unused);
	free(*unused);
	return 0;
}

static void random_text(char *out, size_t room)
{
	static const char *const files[] = { "f1", "f2", "f3", "g1", "g2" };
	char name[16];
	size_t n;

	if (roll(4) == 0)
		snprintf(name, sizeof name, "%s", files[roll(ARRAY_LEN(files))]);
	else
		snprintf(name, sizeof name, "b%u", roll(NAMES));
	if (roll(3) == 0) {
		snprintf(out, room, "remove binding %s;", name);
		return;
	}
	n = (size_t)snprintf(out, room, "binding %s {\n address 192.0.2.%u", name, roll(110));
	for (uint32_t k = roll(3); k > 0; k--)
		n += (size_t)snprintf(out + n, room - n, roll(2) ? ", 192.0.2.%u" : ", 2001:db8::%x",
				      roll(110));
	snprintf(out + n, room - n, ";%s%s }", roll(4) == 0 ? " ehlo mail.example;" : "",
		 roll(8) == 0 ? " unusable use f1;" : "");
}

static void suspend_any(struct lab *lab)
{
	const struct model *model = &lab->agent.now->model;
	uint32_t binding = roll((uint32_t)model->bindings.n);

	if (model->bindings.at[binding].name)
		(void)!suspend_binding(&lab->agent, binding, roll(2) == 0, &lab->out);
}

static void assert_same(struct lab *lab, uint64_t seed, int step, const char *text)
{
	AUTO(candidate_drop) struct candidate fresh = { 0 };
	AUTO(outcome_drop) struct outcome out = { 0 };
	struct agent *agent = &lab->agent;
	bool same;

	overlay_copy(&agent->overlay, &fresh.overlay);
	assert_int_equal(candidate_read(agent, &fresh, false, &out), 0);
	assert_int_equal(candidate_plan(agent, &fresh, &out), 0);
	same = fresh.generation->plan.fingerprint == agent->now->plan.fingerprint;
	candidate_refuse(agent);
	if (!same || !fake_kernel_holds(&lab->fake, &agent->now->plan) ||
	    plan_fingerprint(&agent->now->plan) != agent->now->plan.fingerprint)
		fail_msg("seed %llu, step %d: after '%s' the plan is another one",
			 (unsigned long long)seed, step, text);
	assert_int_equal(model_count_bindings(&agent->now->model),
			 model_count_bindings(&fresh.generation->model));
	assert_string_equal(agent->digest, lab->fake.plan_digest);
}

static void run(struct lab *lab, uint64_t seed)
{
	unsigned quick = 0;

	roll_state = seed;
	assert_int_equal(lab_start(lab, FILES), 0);
	for (int i = 0; i < EDITS; i++) {
		AUTO(edit_report_drop) struct edit_report report = { 0 };
		uint64_t generation = lab->agent.generation;
		char text[256] = "suspend";
		int r = -1;

		outcome_drop(&lab->out);
		lab->fail_step = roll(6) == 0 ? (int)roll(STATE_STEPS) : -1;
		lab->fake.fail_commit = roll(8) == 0 ? -EINVAL : 0;
		if (roll(5) == 0)
			suspend_any(lab);
		else {
			random_text(text, sizeof text);
			r = edit_apply(&lab->agent, &(struct edit_request){ "test", text, false,
									    false },
				       &report, &lab->out);
		}
		lab->fail_step = -1;
		lab->fake.fail_commit = 0;
		quick += r == 0 && lab->agent.generation == generation;
		if (lab->agent.suspect)
			assert_int_equal(agent_heal(&lab->agent, "test", false), 0);
		assert_same(lab, seed, i, text);
	}
	assert_true(quick > EDITS / 10);	/* else this tests something else */
}

static void test_same_as_anew(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		void *lab;

		setup(&lab);
		run(lab, seed);
		teardown(&lab);
	}
}

/* What it did is in the files: another agent finds the same, and has nothing to write. */
static void test_outlives(void **unused)
{
	struct lab *lab = *unused;
	char digest[DIGEST_TEXT];
	AUTO(edit_report_drop) struct edit_report report = { 0 };
	uint32_t mark;

	assert_int_equal(lab_start(lab, FILES), 0);
	assert_int_equal(edit_apply(&lab->agent, &(struct edit_request){
		"test", "binding n { address 192.0.2.5; }", false, false }, &report, &lab->out), 0);
	assert_int_equal(lab->agent.generation, 1);
	mark = lab_mark(lab, "n");
	memcpy(digest, lab->agent.digest, sizeof digest);
	lab_kill(lab);
	assert_int_equal(lab_start(lab, FILES), 0);
	assert_string_equal(lab->agent.digest, digest);
	assert_int_equal(lab->fake.n_adopts, 1);
	assert_int_equal(lab_mark(lab, "n"), mark);
}

/* A crash while the number was appended: the line is not there, and nothing has used it. */
static void test_torn_number(void **unused)
{
	struct lab *lab = *unused;
	AUTO(mem_drop) char *marks = NULL, *torn = NULL, *after = NULL;

	assert_int_equal(lab_start(lab, FILES), 0);
	marks = lab_marks(lab);
	for (const char *tail = "+9 0 torn"; *tail; tail++) {
		char text[16];

		snprintf(text, sizeof text, "%.*s", (int)(strlen("+9 0 torn") - strlen(tail)) + 1,
			 "+9 0 torn");
		lab_kill(lab);
		free(torn);
		assert_true(asprintf(&torn, "%s%s", marks, text) > 0);
		assert_int_equal(state_write(&lab->state, STATE_MARKS, torn, strlen(torn)), 0);
		assert_int_equal(lab_start(lab, FILES), 0);
		free(after);
		after = lab_marks(lab);
		assert_string_equal(after, marks);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_anew), TEST(test_outlives), TEST(test_torn_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
