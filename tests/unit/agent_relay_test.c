/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay stanza in the agent on a fake kernel: it comes with the files, no change at run time says
 * anything about it or takes it away, and what it uses stays.
 */
#include "agent_lab.h"
#include "base/mem.h"
#include "daemon/control_call.h"
#include "daemon/edit.h"
#include "daemon/references.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define BINDINGS \
	"binding a { address 192.0.2.1; }\nbinding b { address 192.0.2.2; }\nbinding c { address 192.0.2.3; }\n"
#define RELAY(rules)	BINDINGS "relay {\n listen 127.0.0.1:2525 { name in; }\n" rules "}\n"
#define CONF		RELAY("sender x.example use a;\nsmarthost s.example for b;\n")

static struct edit_report report;

static int setup(void **state)
{
	return lab_setup(state, "192.0.2.1 192.0.2.2 192.0.2.3", CONF);
}

static int teardown(void **state)
{
	edit_report_drop(&report);
	return lab_teardown(state);
}

static int edit(struct lab *lab, const char *text, bool whole)
{
	outcome_drop(&lab->out);
	edit_report_drop(&report);
	return edit_apply(&lab->agent, &(struct edit_request){ "test", text, whole, false }, &report,
			  &lab->out);
}

static json_t *ask(struct lab *lab, const char *text)
{
	json_t *message = json_loads(text, 0, NULL);
	struct reply reply = { 0 };

	assert_non_null(message);
	assert_int_equal(control_call(&lab->agent, PEER_ADMIN, message, &reply), 0);
	json_decref(message);
	assert_null(reply.stream);
	return reply.message;
}

static void test_a_change_cannot_say_it(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(edit(lab, "relay { listen 127.0.0.1:26; }", false), -EINVAL);
	assert_string_equal(lab->out.problems.at[0].text,
			    "'relay' cannot be changed at run time: expected it in a file, since the relay "
			    "is configured in files");
	assert_int_equal(lab->agent.now->model.relay.listeners.n, 1);
}

static void test_a_whole_change_leaves_it(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(edit(lab, BINDINGS, true), 0);
	assert_int_equal(lab->agent.now->model.relay.rules.n, 1);
}

static void test_what_it_uses_stays(void **state)
{
	static const char *const texts[] = { "remove binding a;", "remove binding b;",
					     "remove binding a; remove binding c;" };
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(edit(lab, texts[i], false), -EINVAL);
		assert_non_null(strstr(lab->out.problems.at[0].text, "is used here, but removed at"));
	}
	assert_int_equal(edit(lab, "remove binding c;", false), 0);
	assert_int_equal(edit(lab, "binding a { address 192.0.2.3; }", false), 0);
}

static void test_references(void **state)
{
	struct lab *lab = *state;
	const struct model *model = &lab->agent.now->model;
	AUTO(references_drop) struct references a = { 0 }, b = { 0 }, c = { 0 };

	references_find(model, model_find(model, "a"), 8, &a);
	references_find_relay(model, model_find(model, "b"), 8, &b);
	references_find(model, model_find(model, "c"), 8, &c);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.at[0].what, "relay");
	assert_string_equal(a.at[0].name, "sender x.example");
	assert_string_equal(a.at[0].place, "test.conf:6:1");
	assert_int_equal(b.n, 1);
	assert_string_equal(b.at[0].name, "smarthost");
	assert_int_equal(c.n, 0);
}

static const struct { const char *what, *call; } removals[] = {
	{ "as it is", "\"name\": \"a\"" },
	{ "to another one, which no change can do to the relay", "\"name\": \"a\", \"reassign\": \"c\"" },
};

static void test_removal_is_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(removals); i++) {
		char text[200];
		json_t *answer;

		snprintf(text, sizeof text, "{\"method\": \"org.outbind.RemoveBinding\", \"parameters\": {%s}}",
			 removals[i].call);
		answer = ask(*state, text);
		if (strcmp(json_string_value(json_object_get(answer, "error")) ?: "none",
			   "org.outbind.BindingInUse") != 0)
			fail_msg("%s: %s", removals[i].what, json_dumps(answer, 0));
		json_decref(answer);
	}
}

/* "+ relay sender x.example", one a line. */
static char *diff(struct lab *lab, const char *conf)
{
	json_t *answer, *changes;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	lab->conf = conf;
	answer = ask(lab, "{\"method\": \"org.outbind.Diff\"}");
	changes = json_object_get(json_object_get(answer, "parameters"), "changes");
	for (size_t i = 0; i < json_array_size(changes); i++) {
		json_t *one = json_array_get(changes, i);

		fprintf(out, "%s %s %s\n", json_string_value(json_object_get(one, "what")),
			json_string_value(json_object_get(one, "kind")),
			json_string_value(json_object_get(one, "name")));
	}
	json_decref(answer);
	assert_int_equal(fclose(out), 0);
	return text;
}

static const struct { const char *conf, *want; } diffs[] = {
	{ CONF, "" },
	{ RELAY("sender x.example use b;\nsmarthost s.example for b;\n"), "changed relay sender x.example\n" },
	{ RELAY("sender y.example use a;\nsmarthost s.example for b;\n"),
	  "removed relay sender x.example\nadded relay sender y.example\n" },
	{ RELAY("sender x.example use a;\n"), "changed relay settings\n" },
	{ RELAY("listen *:26;\nsender x.example use a;\nsmarthost s.example for b;\n"), "added relay listen *:26\n" },
	{ BINDINGS, "removed relay listen in\nremoved relay sender x.example\nremoved relay settings\n" },
};

static void test_differences_have_a_name(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(diffs); i++) {
		char *AUTO(mem_drop) got = diff(*state, diffs[i].conf);

		assert_string_equal(got, diffs[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_change_cannot_say_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_whole_change_leaves_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_it_uses_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_references, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removal_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_differences_have_a_name, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
