/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent on a fake kernel: changes at run time, what refuses them, and what they outlive. */
#include "agent_lab.h"
#include "base/mem.h"
#include "daemon/edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define A	"binding a { address 192.0.2.1; }\n"
#define AB	A "binding b { address 192.0.2.2; }\npolicy { user 1001 use a; }\n"

static struct edit_report report;

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);

	lab_init(lab);
	for (int i = 1; i < 10; i++) {
		char text[20];

		snprintf(text, sizeof text, "192.0.2.%d", i);
		fake_kernel_address(&lab->fake, text);
	}
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	edit_report_drop(&report);
	lab_drop(*state);
	free(*state);
	return 0;
}

static int edit_as(struct lab *lab, const char *text, bool whole, bool dry_run)
{
	outcome_drop(&lab->out);
	edit_report_drop(&report);
	return edit_apply(&lab->agent, &(struct edit_request){ "test", text, whole, dry_run },
			  &report, &lab->out);
}

static int edit(struct lab *lab, const char *text)
{
	return edit_as(lab, text, false, false);
}

/* Kernel, plan and digest say the same, and the file holds @want_file. */
static void assert_whole(struct lab *lab, const char *want_file)
{
	AUTO(mem_drop) char *text = NULL;
	char digest[DIGEST_TEXT];

	assert_true(fake_kernel_holds(&lab->fake, &lab->agent.now->plan));
	plan_digest(&lab->agent.now->plan, digest);
	assert_string_equal(lab->agent.digest, digest);
	assert_string_equal(lab->fake.plan_digest, digest);
	text = lab_runtime(lab);
	assert_string_equal(text, want_file);
}

static bool has(const struct lab *lab, const char *name)
{
	return model_find(&lab->agent.now->model, name) != NO_INDEX;
}

/* The one address of a binding, as text. */
static const char *address_of(const struct lab *lab, const char *name)
{
	static char text[IP_TEXT];
	const struct model *model = &lab->agent.now->model;
	uint32_t index = model_find(model, name);

	if (index == NO_INDEX)
		return "-";
	return ip_print(&model->addresses.at[model->bindings.at[index].first_address].ip, text);
}

static void test_binding(void **state)
{
	struct lab *lab = *state;
	uint32_t mark;

	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(edit(lab, "binding c { address 192.0.2.3; }"), 0);
	assert_string_equal(address_of(lab, "c"), "192.0.2.3");
	assert_int_equal(report.changes.n, 1);
	assert_string_equal(report.changes.at[0].what, "added");
	mark = lab_mark(lab, "c");
	assert_int_not_equal(mark, 0);
	assert_whole(lab, "binding c { address 192.0.2.3; }\n");
	assert_int_equal(edit(lab, "binding c { address 192.0.2.4; }"), 0);
	assert_string_equal(address_of(lab, "c"), "192.0.2.4");
	assert_string_equal(report.changes.at[0].what, "changed");
	assert_int_equal(lab_mark(lab, "c"), mark);
	assert_whole(lab, "binding c { address 192.0.2.4; }\n");
	assert_int_equal(edit(lab, "remove binding c;"), 0);
	assert_false(has(lab, "c"));
	assert_whole(lab, "");
	assert_int_equal(edit(lab, "binding b { address 192.0.2.5; }"), 0);
	assert_int_equal(edit(lab, "remove binding b;"), 0);
	assert_false(has(lab, "b"));
	assert_whole(lab, "remove binding b;\n");
	assert_int_equal(edit(lab, "binding b { address 192.0.2.2; }"), 0);
	assert_true(has(lab, "b"));
	assert_int_equal(lab->fake.n_replaces, 1);
}

static void test_policy(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(edit(lab, "policy { user 1002 use b; user 1001 use b; }"), 0);
	assert_int_equal(report.changes.n, 2);
	assert_string_equal(report.changes.at[0].before, "use a");
	assert_string_equal(report.changes.at[0].after, "use b");
	assert_int_equal(lab->agent.now->model.rules.n, 2);
	assert_int_equal(edit(lab, "remove policy { user 1001; user 1002; }"), 0);
	assert_int_equal(lab->agent.now->model.rules.n, 0);
	assert_whole(lab, "remove policy { user 1001; }\n");
	assert_int_equal(edit(lab, "bypass { connected; }"), 0);
	assert_true(lab->agent.now->model.bypass_connected);
	assert_int_equal(edit(lab, "default-binding reject;"), 0);
	assert_int_equal(lab->agent.now->model.default_binding, DEFAULT_REJECT);
	assert_int_equal(edit(lab, "remove default-binding; remove bypass { connected; }"), 0);
	assert_whole(lab, "remove policy { user 1001; }\n");
}

static void test_several_at_once(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	lab->fake.n_commits = 0;
	assert_int_equal(edit(lab, "binding c { address 192.0.2.3; }\n"
			      "policy { user 1003 use c; }\nsuspend a;\nremove binding b;\n"), 0);
	assert_int_equal(lab->fake.n_commits, 1);
	assert_int_equal(report.changes.n, 4);
	assert_false(plan_usable(&lab->agent.now->plan, 0, FAMILY_IPV4) && has(lab, "b"));
	assert_true(lab->agent.facts.suspended[model_find(&lab->agent.now->model, "a")]);
	assert_int_equal(edit(lab, "resume a; remove policy { user 1003; } remove binding c;"), 0);
	assert_whole(lab, "remove binding b;\n");
}

static const struct {
	const char *what, *text, *want;
} refusals[] = {
	{ "no text of the language", "bindin c {}", "test:1:1" },
	{ "an address that is none", "\nbinding c { address x; }", "test:2:21" },
	{ "an unknown binding", "policy {\n user 1002 use nobody; }", "test:2:16" },
	{ "an address that a file gave", "binding c {\n address 192.0.2.1; }", "test:2:10" },
	{ "a binding that a rule uses", "remove binding a;", "test.conf:3:" },
	{ "to remove what is not there", "remove binding c;", "test:1:" },
	{ "to remove a rule that is not there", "remove policy { user 7; }", "test:1:" },
	{ "to resume what is not suspended", "resume a;", "test:1:" },
	{ "to suspend nobody", "\n suspend nobody;", "test:2:" },
	{ "the same thing twice", "remove binding b;\nbinding b { address 192.0.2.8; }", "test:2:" },
	{ "a mask", "mark-mask 0xff;", "test:1:1" },
};

static void test_refused(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		bool found = false;

		if (edit(lab, refusals[i].text) != -EINVAL)
			fail_msg("%s: was not refused as invalid", refusals[i].what);
		for (size_t k = 0; k < lab->out.problems.n; k++)
			found |= strstr(lab->out.problems.at[k].place, refusals[i].want) ||
				 strstr(lab->out.problems.at[k].text, refusals[i].want);
		if (!found)
			fail_msg("%s: got %s: %s, want %s", refusals[i].what,
				 lab->out.problems.n ? lab->out.problems.at[0].place : "nothing",
				 lab->out.problems.n ? lab->out.problems.at[0].text : "",
				 refusals[i].want);
		assert_whole(lab, "");
		assert_int_equal(lab->agent.generation, 1);
	}
}

static void test_dry_run(void **state)
{
	AUTO(mem_drop) char *before = NULL, *after = NULL;
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	before = lab_marks(lab);
	lab->fake.n_commits = 0;
	assert_int_equal(edit_as(lab, "binding c { address 192.0.2.3; }", false, true), 0);
	assert_true(lab->out.operations > 0);
	assert_int_equal(report.changes.n, 1);
	assert_int_equal(lab->fake.n_commits, 0);
	assert_false(has(lab, "c"));
	after = lab_marks(lab);
	assert_string_equal(before, after);
	assert_whole(lab, "");
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL | FACTS_CGROUPS), 0);
}

/* An edit of the files that nobody applied does not slip in with a change. */
static void test_files_as_loaded(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	lab->conf = "binding other { address 192.0.2.9; }";
	assert_int_equal(edit(lab, "binding c { address 192.0.2.3; }"), 0);
	assert_true(has(lab, "a"));
	assert_false(has(lab, "other"));
	lab->conf = "binding {";
	assert_int_equal(edit(lab, "binding c { address 192.0.2.4; }"), 0);
	assert_true(has(lab, "b"));
}

static void test_whole(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(edit(lab, "binding c { address 192.0.2.3; } suspend b;"), 0);
	assert_int_equal(edit_as(lab, A "binding d { address 192.0.2.4; }", true, false), 0);
	assert_true(has(lab, "a") && has(lab, "d"));
	assert_false(has(lab, "b") || has(lab, "c"));
	assert_int_equal(lab->agent.now->model.rules.n, 0);
	assert_null(overlay_find(&lab->agent.overlay, ITEM_BINDING, "a"));
	assert_null(overlay_find(&lab->agent.overlay, ITEM_SUSPEND, "b"));
	assert_int_equal(edit_as(lab, AB, true, false), 0);
	assert_false(has(lab, "d"));
	assert_int_equal(lab_reload(lab, AB), 0);
	assert_int_equal(lab->out.operations, 0);
	assert_whole(lab, "");
}

static void test_outlives(void **state)
{
	struct lab *lab = *state;
	unsigned written;

	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(edit(lab, "binding c { address 192.0.2.3; } remove policy { user 1001; }\n"
			      "remove binding a;"), 0);
	written = lab->fake.n_commits + lab->fake.n_replaces;
	lab_kill(lab);
	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(lab->fake.n_adopts, 1);
	assert_int_equal(lab->fake.n_commits + lab->fake.n_replaces, written);
	assert_true(has(lab, "c"));
	assert_false(has(lab, "a"));
	assert_int_equal(lab_reload(lab, AB), 0);
	assert_int_equal(lab->out.operations, 0);
	/* what the files say meanwhile is not kept: c the same, a gone, the rule gone */
	assert_int_equal(lab_reload(lab, "binding b { address 192.0.2.2; }\n"
				    "binding c { address 192.0.2.3; }"), 0);
	assert_int_equal(lab->out.operations, 0);
	assert_whole(lab, "");
	assert_int_equal(edit(lab, "remove binding c;"), 0);
	assert_whole(lab, "remove binding c;\n");
}

/* Files that do not go with what was changed at run time: neither is taken, both places are said. */
static void test_reload_conflicts(void **state)
{
	struct lab *lab = *state;
	bool file = false, runtime = false;

	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(edit(lab, "remove binding b;"), 0);
	assert_int_equal(lab_reload(lab, AB "policy { user 1009 use b; }"), -EINVAL);
	for (size_t i = 0; i < lab->out.problems.n; i++) {
		file |= strstr(lab->out.problems.at[i].place, "test.conf:4:") != NULL;
		runtime |= strstr(lab->out.problems.at[i].text, "/runtime.conf:2:") != NULL;
	}
	assert_true(file);
	assert_true(runtime);
	assert_whole(lab, "remove binding b;\n");
	assert_false(has(lab, "b"));
}

/* Files that name what is defined at run time only are not valid alone, and no reason to crash. Nor
 * is what they say there the same as a statement without the name. */
static void test_files_lean_on_changes(void **state)
{
	static const char lean[] =
		AB "policy { user 1002 use c; user 1003 use c; }\n"
		   "group g { member c; }\n"
		   "binding d { address 192.0.2.4; unusable use c; }\n"
		   "binding e { address 192.0.2.5; limit connections 2; overflow c; }\n"
		   "binding f { address 192.0.2.6; uplink u; }\n"
		   "binding h { address 192.0.2.7; warmup { day 1 5; overflow c; } }\n";
	static const char changes[] =
		"uplink u { interface eth0; }\nbinding c { address 192.0.2.3; }\n"
		"policy { user 1002 use a; }\ngroup g { member a; }\n"
		"binding d { address 192.0.2.4; }\n"
		"binding e { address 192.0.2.5; limit connections 2; }\n"
		"binding f { address 192.0.2.6; }\n"
		"binding h { address 192.0.2.7; warmup { day 1 5; } }\n";
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(edit(lab, changes), 0);
	assert_int_equal(lab_reload(lab, lean), 0);
	assert_whole(lab, changes);
	lab_kill(lab);
	assert_int_equal(lab_start(lab, lean), 0);
	assert_whole(lab, changes);
	assert_int_equal(edit(lab, "remove binding c;"), -EINVAL);
}

static void test_kernel_refuses(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	lab->fake.fail_commit = -EINVAL;
	assert_int_equal(edit(lab, "binding c { address 192.0.2.3; }"), -EREMOTEIO);
	assert_false(has(lab, "c"));
	assert_whole(lab, "");
	assert_int_equal(edit(lab, "binding c { address 192.0.2.3; }"), 0);
	assert_whole(lab, "binding c { address 192.0.2.3; }\n");
}

/* A disk that is full at any step: all of it or nothing, in memory, kernel and file. */
static void test_disk_refuses(void **state)
{
	static const char *const texts[] = { "binding c { address 192.0.2.3; }",
					     "binding b { address 192.0.2.6; }",
					     "remove binding b;", "policy { user 1001 use b; }" };
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(edit(lab, "binding x { address 192.0.2.7; }"), 0);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (enum state_step step = 0; step < STATE_STEPS; step++) {
			char digest[DIGEST_TEXT];

			memcpy(digest, lab->agent.digest, sizeof digest);
			lab->fail_step = (int)step;
			assert_int_equal(edit(lab, texts[i]), -ENOSPC);
			assert_non_null(strstr(lab->out.text, "No space"));
			assert_string_equal(lab->agent.digest, digest);
			lab->fail_step = -1;
			assert_whole(lab, "binding x { address 192.0.2.7; }\n");
		}
	}
	lab_kill(lab);
	assert_int_equal(lab_start(lab, AB), 0);
	assert_whole(lab, "binding x { address 192.0.2.7; }\n");
	assert_true(has(lab, "b"));
}

static char *read_state(struct lab *lab, const char *name, size_t *ret_len)
{
	char *text;

	assert_int_equal(state_read(&lab->state, name, &text, ret_len), 0);
	return text;
}

/* Every damage is seen at the start, and the copy that is offered works. */
static void test_damaged_file(void **state)
{
	struct lab *lab = *state;
	AUTO(mem_drop) char *text = NULL, *last = NULL;
	size_t len, last_len;

	assert_int_equal(lab_start(lab, AB), 0);
	assert_int_equal(edit(lab, "binding c { address 192.0.2.3; }"), 0);
	assert_int_equal(edit(lab, "binding d { address 192.0.2.4; }"), 0);
	text = read_state(lab, STATE_RUNTIME, &len);
	last = read_state(lab, STATE_LAST, &last_len);
	for (size_t cut = 0; cut < len; cut++) {
		lab_kill(lab);
		assert_int_equal(state_write(&lab->state, STATE_RUNTIME, text, cut), 0);
		assert_int_equal(lab_start(lab, AB), -EBADMSG);
		assert_non_null(strstr(lab->out.text, "/runtime.conf:"));
		assert_non_null(strstr(lab->out.text, ": mv "));
	}
	for (size_t at = 0; at < len; at++) {
		AUTO(mem_drop) char *wrong = mem_text(text, len);

		wrong[at] ^= 1;
		lab_kill(lab);
		assert_int_equal(state_write(&lab->state, STATE_RUNTIME, wrong, len), 0);
		if (lab_start(lab, AB) != -EBADMSG)
			fail_msg("octet %zu of the file is wrong, and nobody noticed", at);
	}
	lab_kill(lab);
	assert_int_equal(state_write(&lab->state, STATE_RUNTIME, last, last_len), 0);
	assert_int_equal(lab_start(lab, AB), 0);
	assert_whole(lab, "binding c { address 192.0.2.3; }\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_binding), TEST(test_policy), TEST(test_several_at_once),
		TEST(test_refused), TEST(test_dry_run), TEST(test_files_as_loaded),
		TEST(test_whole), TEST(test_outlives), TEST(test_reload_conflicts),
		TEST(test_files_lean_on_changes),
		TEST(test_kernel_refuses), TEST(test_disk_refuses), TEST(test_damaged_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
