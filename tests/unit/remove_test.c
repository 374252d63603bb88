/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removing a binding on a fake kernel: who refuses, who goes on, who waits, and what is left. */
#include "agent_lab.h"
#include "base/mem.h"
#include "daemon/control_call.h"
#include "daemon/remove.h"
#include "daemon/suspend.h"
#include "model/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define CONF	"binding a { address 192.0.2.1; }\n" \
		"binding b { address 192.0.2.2; }\n" \
		"binding c { address 192.0.2.3; unusable use a; overflow a; }\n" \
		"group g { member a weight 3; member b; }\n" \
		"binding lone { address 192.0.2.4; allow user 1; }\n" \
		"policy {\n  user 1001 use a;\n  user 1002 port 25 use a;\n" \
		"  user 1003 use c;\n  user 1004 use g;\n}\n"

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);

	lab_init(lab);
	fake_kernel_address(&lab->fake, "192.0.2.1");
	fake_kernel_address(&lab->fake, "192.0.2.2");
	fake_kernel_address(&lab->fake, "192.0.2.4");
	assert_int_equal(lab_start(lab, CONF), 0);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	lab_drop(*state);
	free(*state);
	return 0;
}

struct began {					/* one remove_begin() */
	int r;
	struct removal *removal;
	struct removal_refusal refusal;
	struct outcome out;
};

static void began_drop(struct began *began)
{
	if (began->r == 0)
		remove_unref(began->removal);
	remove_refusal_drop(&began->refusal);
	outcome_drop(&began->out);
}

static struct began begin(struct lab *lab, const char *name, const char *reassign,
			  const char *how, uint64_t timeout)
{
	struct remove_request request = { .name = name, .reassign = reassign, .timeout = timeout,
					  .drain = strstr(how, "drain") != NULL,
					  .kill = strstr(how, "kill") != NULL };
	struct began began = { 0 };

	began.r = remove_begin(&lab->agent, &request, &began.removal, &began.refusal, &began.out);
	return began;
}

static bool exists(const struct lab *lab, const char *name)
{
	return model_find(&lab->agent.now->model, name) != NO_INDEX;
}

static bool is_suspended(const struct lab *lab, const char *name)
{
	return lab->agent.facts.suspended[model_find(&lab->agent.now->model, name)];
}

/* As time would, if it did not take so long. */
static void tick(struct lab *lab)
{
	for (size_t i = 0; i < lab->agent.removals->n; i++)
		lab->agent.removals->at[i]->next = 0;
	(void)remove_tick(&lab->agent);
}

static char *print_all(const struct lab *lab)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	conf_print(&lab->agent.now->model, out);
	fclose(out);
	return text;
}

static const struct { const char *what, *name, *place; } wanted[] = {
	{ "rule", "user 1001", "test.conf:7:3" },
	{ "rule", "user 1002 port 25", "test.conf:8:3" },
	{ "unusable", "c", "test.conf:3:32" },
	{ "overflow", "c", "test.conf:3:48" },
	{ "group", "g", "test.conf:4:18" },
};

static void test_refusal_names_all(void **state)
{
	struct lab *lab = *state;
	unsigned commits = lab->fake.n_commits;

	fake_kernel_connection(&lab->fake, lab_mark(lab, "a"), 4001);
	fake_kernel_connection(&lab->fake, lab_mark(lab, "b"), 4002);
	for (int drain = 0; drain < 2; drain++) {
		AUTO(began_drop) struct began began = begin(lab, "a", NULL, drain ? "drain" : "",
							    UINT64_MAX);
		const struct references *references = &began.refusal.references;

		assert_int_equal(began.r, -EADDRINUSE);
		assert_int_equal(references->n_all, ARRAY_LEN(wanted));
		for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
			assert_string_equal(references->at[i].what, wanted[i].what);
			assert_string_equal(references->at[i].name, wanted[i].name);
			assert_string_equal(references->at[i].place, wanted[i].place);
		}
		assert_int_equal(began.refusal.about->connections, 1);
		assert_string_equal(began.refusal.about->remaining[0],
				    "tcp 127.0.0.1:4001 > 203.0.113.1:25 as 198.51.100.11:4001 "
				    "ESTABLISHED");
	}
	assert_int_equal(lab->fake.n_commits, commits);
	assert_false(is_suspended(lab, "a"));
}

static void test_nothing_in_the_way(void **state)
{
	struct lab *lab = *state;
	AUTO(began_drop) struct began began = begin(lab, "lone", NULL, "", UINT64_MAX);

	assert_int_equal(began.r, 0);
	assert_int_equal(began.removal->state, REMOVE_DONE);
	assert_false(exists(lab, "lone"));
	assert_true(fake_kernel_holds(&lab->fake, &lab->agent.now->plan));
	lab_kill(lab);
	assert_int_equal(lab_start(lab, CONF), 0);
	assert_false(exists(lab, "lone"));	/* the files still have it, the change wins */
}

static void test_not_possible(void **state)
{
	struct lab *lab = *state;
	AUTO(began_drop) struct began nobody = begin(lab, "x", NULL, "", UINT64_MAX);
	AUTO(began_drop) struct began to_nobody = begin(lab, "a", "x", "", UINT64_MAX);
	struct outcome *out;

	assert_int_equal(nobody.r, -ESRCH);
	assert_int_equal(to_nobody.r, -ENOENT);
	lab->fake.fail_flows = -EINTR;
	AUTO(began_drop) struct began blind = begin(lab, "lone", NULL, "", UINT64_MAX);
	assert_int_equal(blind.r, -EINTR);
	out = &blind.out;
	assert_non_null(strstr(out->text, "cannot count"));
	lab->fake.fail_commit = lab->fake.fail_replace = -EPERM;
	AUTO(began_drop) struct began refused = begin(lab, "lone", NULL, "", UINT64_MAX);
	assert_true(refused.r < 0);
	assert_true(exists(lab, "lone"));
}

static void test_reassigned(void **state)
{
	struct lab *lab = *state;
	AUTO(began_drop) struct began began = begin(lab, "a", "b", "", UINT64_MAX);
	char *AUTO(mem_drop) text = NULL;

	assert_int_equal(began.r, 0);
	assert_int_equal(began.removal->state, REMOVE_DONE);
	assert_false(exists(lab, "a"));
	text = print_all(lab);
	assert_non_null(strstr(text, "user 1001 use b;"));
	assert_non_null(strstr(text, "user 1002 port 25 use b;"));
	assert_non_null(strstr(text, "user 1003 use c;"));
	assert_non_null(strstr(text, "unusable use b;"));
	assert_non_null(strstr(text, "overflow b;"));
	assert_non_null(strstr(text, "member b weight 4;"));
	assert_null(strstr(text, " a;"));
	assert_true(fake_kernel_holds(&lab->fake, &lab->agent.now->plan));
}

/* c stood by a; nobody stands by himself. */
static void test_reassigned_to_who_refers(void **state)
{
	struct lab *lab = *state;
	AUTO(began_drop) struct began began = begin(lab, "a", "c", "", UINT64_MAX);
	char *AUTO(mem_drop) text = NULL;

	assert_int_equal(began.r, 0);
	text = print_all(lab);
	assert_non_null(strstr(text, "user 1001 use c;"));
	assert_non_null(strstr(text, "member c weight 3;"));
	assert_null(strstr(text, "unusable use"));
	assert_null(strstr(text, "overflow"));
}

static void test_reassigned_to_its_group(void **state)
{
	struct lab *lab = *state;
	AUTO(began_drop) struct began began = begin(lab, "b", "g", "", UINT64_MAX);
	char *AUTO(mem_drop) text = NULL;

	assert_int_equal(began.r, 0);
	text = print_all(lab);
	assert_null(strstr(text, "member b"));
	assert_non_null(strstr(text, "member a weight 3;"));
}

static void test_drained(void **state)
{
	struct lab *lab = *state;
	uint32_t mark = lab_mark(lab, "a");

	fake_kernel_connection(&lab->fake, mark, 4001);
	fake_kernel_connection(&lab->fake, mark, 4002);
	AUTO(began_drop) struct began began = begin(lab, "a", "b", "drain", UINT64_MAX);
	assert_int_equal(began.r, 0);
	assert_int_equal(began.removal->state, REMOVE_RUNNING);
	assert_int_equal(began.removal->at_start, 2);
	assert_true(is_suspended(lab, "a"));
	tick(lab);
	assert_int_equal(began.removal->connections, 2);
	AUTO(began_drop) struct began again = begin(lab, "a", NULL, "drain", UINT64_MAX);
	assert_ptr_equal(again.removal, began.removal);
	AUTO(began_drop) struct began to_it = begin(lab, "b", "a", "drain", UINT64_MAX);
	assert_int_equal(to_it.r, -EALREADY);
	lab->fake.fail_flows = -EINTR;		/* once: it is counted again */
	tick(lab);
	fake_kernel_end(&lab->fake, mark);
	tick(lab);
	assert_int_equal(began.removal->state, REMOVE_DONE);
	assert_int_equal(began.removal->killed, 0);
	assert_int_equal(lab->agent.removals->n, 0);
	assert_false(exists(lab, "a"));
	assert_true(fake_kernel_holds(&lab->fake, &lab->agent.now->plan));
}

static void test_time_is_up(void **state)
{
	struct lab *lab = *state;
	uint32_t mark = lab_mark(lab, "lone");

	for (uint16_t i = 0; i < 12; i++)
		fake_kernel_connection(&lab->fake, mark, 4000);
	AUTO(began_drop) struct began began = begin(lab, "lone", NULL, "drain", 0);
	assert_int_equal(began.r, 0);
	assert_int_equal(began.removal->state, REMOVE_KEPT);
	assert_non_null(strstr(began.removal->why, "time is up"));
	assert_int_equal(began.removal->connections, 12);
	assert_int_equal(began.removal->n_remaining, REMOVE_NAMED);
	assert_true(exists(lab, "lone"));
	assert_true(is_suspended(lab, "lone"));
	AUTO(began_drop) struct began killed = begin(lab, "lone", NULL, "drain kill", 0);
	assert_int_equal(killed.removal->state, REMOVE_DONE);
	assert_int_equal(killed.removal->killed, 12);
}

static void test_killed(void **state)
{
	struct lab *lab = *state;
	uint32_t mark = lab_mark(lab, "lone");

	fake_kernel_connection(&lab->fake, mark, 4000);
	fake_kernel_connection(&lab->fake, mark, 4001);
	fake_kernel_connection(&lab->fake, lab_mark(lab, "a"), 4002);
	lab->fake.immortal = 1;
	AUTO(began_drop) struct began began = begin(lab, "lone", NULL, "kill", UINT64_MAX);
	assert_int_equal(began.removal->state, REMOVE_RUNNING);
	assert_int_equal(began.removal->killed, 1);
	tick(lab);
	assert_int_equal(began.removal->state, REMOVE_RUNNING);
	began.removal->killing -= 60 * 1000000;	/* for a minute nothing came of it */
	tick(lab);
	assert_int_equal(began.removal->state, REMOVE_KEPT);
	assert_non_null(strstr(began.removal->why, "cannot be ended"));
	lab->fake.immortal = 0;
	AUTO(began_drop) struct began again = begin(lab, "lone", NULL, "kill", UINT64_MAX);
	assert_int_equal(again.removal->state, REMOVE_DONE);
	assert_int_equal(lab->fake.flows.n, 1);	/* a's */
}

static void test_drain_that_is_killed_later(void **state)
{
	struct lab *lab = *state;

	fake_kernel_connection(&lab->fake, lab_mark(lab, "lone"), 4000);
	AUTO(began_drop) struct began began = begin(lab, "lone", NULL, "drain", UINT64_MAX);
	assert_int_equal(began.removal->state, REMOVE_RUNNING);
	AUTO(began_drop) struct began impatient = begin(lab, "lone", NULL, "kill", UINT64_MAX);
	assert_ptr_equal(impatient.removal, began.removal);
	assert_int_equal(began.removal->state, REMOVE_DONE);
	assert_int_equal(began.removal->killed, 1);
}

static void test_resumed(void **state)
{
	struct lab *lab = *state;
	AUTO(outcome_drop) struct outcome out = { 0 };

	fake_kernel_connection(&lab->fake, lab_mark(lab, "lone"), 4000);
	AUTO(began_drop) struct began began = begin(lab, "lone", NULL, "drain", UINT64_MAX);
	assert_int_equal(suspend_binding(&lab->agent, model_find(&lab->agent.now->model, "lone"),
					 false, &out), 0);
	fake_kernel_end(&lab->fake, lab_mark(lab, "lone"));
	tick(lab);
	assert_int_equal(began.removal->state, REMOVE_KEPT);
	assert_non_null(strstr(began.removal->why, "resumed"));
	assert_true(exists(lab, "lone"));
}

static void test_restarted(void **state)
{
	struct lab *lab = *state;
	uint32_t mark = lab_mark(lab, "a");

	fake_kernel_connection(&lab->fake, mark, 4000);
	AUTO(began_drop) struct began began = begin(lab, "a", "b", "drain", UINT64_MAX);
	assert_int_equal(began.r, 0);
	lab_kill(lab);
	assert_int_equal(lab_start(lab, CONF), 0);
	assert_true(is_suspended(lab, "a"));
	assert_int_equal(lab_mark(lab, "a"), mark);
	AUTO(began_drop) struct began again = begin(lab, "a", NULL, "kill", UINT64_MAX);
	assert_int_equal(again.r, 0);		/* the rules are b's since before */
	assert_int_equal(again.removal->state, REMOVE_DONE);
}

static void test_refused_at_the_end(void **state)
{
	struct lab *lab = *state;

	fake_kernel_connection(&lab->fake, lab_mark(lab, "lone"), 4000);
	AUTO(began_drop) struct began began = begin(lab, "lone", NULL, "drain", UINT64_MAX);
	fake_kernel_end(&lab->fake, lab_mark(lab, "lone"));
	lab->fake.fail_commit = lab->fake.fail_replace = -EPERM;
	tick(lab);
	assert_int_equal(began.removal->state, REMOVE_FAILED);
	assert_true(began.removal->out.text[0] != '\0');
	assert_true(exists(lab, "lone"));
	lab->fake.fail_commit = lab->fake.fail_replace = 0;
	AUTO(began_drop) struct began again = begin(lab, "lone", NULL, "", UINT64_MAX);
	assert_int_equal(again.removal->state, REMOVE_DONE);
}

/* A binding of the same name that comes later is not suspended. */
static void test_name_comes_back(void **state)
{
	struct lab *lab = *state;

	fake_kernel_connection(&lab->fake, lab_mark(lab, "lone"), 4000);
	AUTO(began_drop) struct began began = begin(lab, "lone", NULL, "kill", UINT64_MAX);
	assert_int_equal(began.removal->state, REMOVE_DONE);
	assert_int_equal(lab_reload(lab, "binding a { address 192.0.2.1; }"), 0);
	assert_int_equal(lab_reload(lab, CONF), 0);
	assert_true(!exists(lab, "lone") || !is_suspended(lab, "lone"));
}

#define REMOVE(more, p) "{\"method\":\"org.outbind.RemoveBinding\"" more ",\"parameters\":{" p "}}"

static json_t *ask(struct lab *lab, const char *text, struct stream **ret_stream)
{
	json_t *message = json_loads(text, 0, NULL);
	struct reply reply = { 0 };

	assert_int_equal(control_call(&lab->agent, PEER_ADMIN, message, &reply), 0);
	json_decref(message);
	*ret_stream = reply.stream;
	return reply.message;
}

static long long number(const json_t *answer, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(answer, "parameters"), key));
}

static void test_watched(void **state)
{
	struct lab *lab = *state;
	uint32_t mark = lab_mark(lab, "lone");
	struct stream *watch, *wait;
	json_t *answer;
	bool last;

	fake_kernel_connection(&lab->fake, mark, 4000);
	answer = ask(lab, REMOVE(",\"more\":true", "\"name\":\"lone\",\"drain\":true"), &watch);
	assert_true(json_is_true(json_object_get(answer, "continues")));
	assert_int_equal(number(answer, "connections"), 1);
	json_decref(answer);
	assert_null(control_call_next(&lab->agent, watch, &last));
	assert_null(ask(lab, REMOVE("", "\"name\":\"lone\",\"drain\":true"), &wait));
	tick(lab);
	answer = control_call_next(&lab->agent, watch, &last);
	assert_false(last);
	json_decref(answer);
	fake_kernel_end(&lab->fake, mark);
	tick(lab);
	for (int i = 0; i < 2; i++) {
		answer = control_call_next(&lab->agent, i ? wait : watch, &last);
		assert_true(last);
		assert_true(json_is_true(json_object_get(json_object_get(answer, "parameters"),
							 "removed")));
		json_decref(answer);
	}
	watch->free(watch);
	wait->free(wait);
}

static const struct { const char *what, *call, *want; } wrong[] = {
	{ "a time without drain", REMOVE("", "\"name\":\"lone\",\"timeout\":5"), "InvalidParameter" },
	{ "a negative time", REMOVE("", "\"name\":\"lone\",\"drain\":true,\"timeout\":-1"), "InvalidParameter" },
	{ "a time beyond all", REMOVE("", "\"name\":\"lone\",\"drain\":true,\"timeout\":9223372036854775807"), "InvalidParameter" },
	{ "drain for ever, then kill", REMOVE("", "\"name\":\"lone\",\"drain\":true,\"kill\":true"), "InvalidParameter" },
	{ "to itself", REMOVE("", "\"name\":\"lone\",\"reassign\":\"lone\""), "InvalidParameter" },
	{ "nobody", REMOVE("", "\"name\":\"lome\""), "BindingNotFound" },
	{ "to nobody", REMOVE("", "\"name\":\"lone\",\"reassign\":\"bb\""), "BindingNotFound" },
	{ "the implicit default", REMOVE("", "\"name\":\"default\""), "NotPossible" },
	{ "in use", REMOVE("", "\"name\":\"a\""), "BindingInUse" },
};

static void test_wrong_calls(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct stream *stream;
		json_t *answer = ask(*state, wrong[i].call, &stream);
		const char *error = json_string_value(json_object_get(answer, "error"));

		if (!error || !strstr(error, wrong[i].want))
			fail_msg("%s: got %s, want %s", wrong[i].what, error, wrong[i].want);
		assert_null(stream);
		json_decref(answer);
	}
	assert_true(exists(*state, "lone"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_refusal_names_all),
		TEST(test_nothing_in_the_way),
		TEST(test_not_possible),
		TEST(test_reassigned),
		TEST(test_reassigned_to_who_refers),
		TEST(test_reassigned_to_its_group),
		TEST(test_drained),
		TEST(test_time_is_up),
		TEST(test_killed),
		TEST(test_drain_that_is_killed_later),
		TEST(test_resumed),
		TEST(test_restarted),
		TEST(test_refused_at_the_end),
		TEST(test_name_comes_back),
		TEST(test_watched),
		TEST(test_wrong_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
