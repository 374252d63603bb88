/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control calls on an agent with a fake kernel: dispatch, rights, parameters, lists in pieces. */
#include "agent_lab.h"
#include "base/mem.h"
#include "daemon/control_call.h"
#include "proto/varlink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define CONF	"binding acme { address 192.0.2.1; allow user 1001; }\n" \
		"binding beta { address 192.0.2.2; }\n" \
		"policy {\n  user 1001 use acme;\n  user 1002 port 25 use beta;\n" \
		"  otherwise port 25 reject;\n}\n"

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);

	lab_init(lab);
	fake_kernel_address(&lab->fake, "192.0.2.1");
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

/* One call by text; the answer, with what is left of a stream in *@ret_stream. */
static json_t *ask_stream(struct lab *lab, enum peer_right right, const char *text,
			  struct stream **ret_stream)
{
	json_t *message = json_loads(text, 0, NULL);
	struct reply reply = { 0 };

	assert_non_null(message);
	assert_int_equal(control_call(&lab->agent, right, message, &reply), 0);
	json_decref(message);
	*ret_stream = reply.stream;
	return reply.message;
}

static json_t *ask(struct lab *lab, enum peer_right right, const char *text)
{
	struct stream *stream;
	json_t *answer = ask_stream(lab, right, text, &stream);

	if (stream)
		stream->free(stream);
	return answer;
}

static const char *error_of(const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));

	return error ? error : "none";
}

#define OUTBIND(method) "{\"method\": \"org.outbind." method "\""
#define SERVICE(method) "{\"method\": \"org.varlink.service." method "\""
#define WITH(text) ", \"parameters\": {" text "}}"

static const struct {
	const char *what;
	enum peer_right right;
	const char *call, *want;		/* error without its interface's beginning, or "none" */
} calls[] = {
	{ "a reader reads", PEER_READ, OUTBIND("GetStatus") "}", "none" },
	{ "a stranger does not", PEER_NONE, OUTBIND("GetStatus") "}", "org.outbind.PermissionDenied" },
	{ "a reader does not change", PEER_READ, OUTBIND("Reload") "}", "org.outbind.PermissionDenied" },
	{ "root reloads", PEER_ADMIN, OUTBIND("Reload") "}", "none" },
	{ "anybody asks what this is", PEER_NONE, SERVICE("GetInfo") "}", "none" },
	{ "no such method", PEER_ADMIN, OUTBIND("Nonsense") "}", "org.varlink.service.MethodNotFound" },
	{ "no such interface", PEER_ADMIN, "{\"method\": \"org.other.X\"}",
	  "org.varlink.service.InterfaceNotFound" },
	{ "no interface at all", PEER_ADMIN, "{\"method\": \"x\"}",
	  "org.varlink.service.InterfaceNotFound" },
	{ "null parameters", PEER_READ, OUTBIND("GetStatus") ", \"parameters\": null}", "none" },
	{ "a parameter too many", PEER_READ, OUTBIND("GetStatus") WITH("\"a\": 1"),
	  "org.varlink.service.InvalidParameter" },
	{ "a parameter is missing", PEER_READ, OUTBIND("ShowBinding") WITH(""),
	  "org.varlink.service.InvalidParameter" },
	{ "a parameter of another type", PEER_READ, OUTBIND("ShowBinding") WITH("\"name\": 1"),
	  "org.varlink.service.InvalidParameter" },
	{ "null for what must be there", PEER_READ, OUTBIND("ShowBinding") WITH("\"name\": null"),
	  "org.varlink.service.InvalidParameter" },
	{ "a prefix of a name", PEER_READ, OUTBIND("Explain") WITH("\"to\": \"1.2.3.4\", \"po\": 1"),
	  "org.varlink.service.InvalidParameter" },
	{ "no such binding", PEER_READ, OUTBIND("ShowBinding") WITH("\"name\": \"acne\""),
	  "org.outbind.BindingNotFound" },
	{ "the implicit default", PEER_READ, OUTBIND("ShowBinding") WITH("\"name\": \"default\""),
	  "none" },
	{ "null for what may be missing", PEER_READ,
	  OUTBIND("Explain") WITH("\"to\": \"198.51.100.1\", \"port\": null, \"user\": \"1001\""), "none" },
	{ "not an address", PEER_READ, OUTBIND("Explain") WITH("\"to\": \"example.net\""),
	  "org.varlink.service.InvalidParameter" },
	{ "a port too high", PEER_READ, OUTBIND("Explain") WITH("\"to\": \"192.0.2.9\", \"port\": 65536"),
	  "org.varlink.service.InvalidParameter" },
	{ "source of another family", PEER_READ,
	  OUTBIND("Explain") WITH("\"to\": \"192.0.2.9\", \"source\": \"2001:db8::1\""),
	  "org.varlink.service.InvalidParameter" },
	{ "unit and that of a process", PEER_READ,
	  OUTBIND("Explain") WITH("\"to\": \"192.0.2.9\", \"unit\": \"a.service\", \"process_cgroup\": \"/x\""),
	  "org.varlink.service.InvalidParameter" },
	{ "no such user", PEER_READ,
	  OUTBIND("Explain") WITH("\"to\": \"192.0.2.9\", \"user\": \"no-such-user\""), "org.outbind.NotFound" },
	{ "the number of a process", PEER_READ,
	  OUTBIND("Explain") WITH("\"to\": \"192.0.2.9\", \"pid\": 1"),
	  "org.varlink.service.InvalidParameter" },
	{ "a reader does not suspend", PEER_READ, OUTBIND("SuspendBinding") WITH("\"name\": \"beta\""),
	  "org.outbind.PermissionDenied" },
	{ "root suspends", PEER_ADMIN, OUTBIND("SuspendBinding") WITH("\"name\": \"acme\""), "none" },
	{ "root resumes", PEER_ADMIN, OUTBIND("ResumeBinding") WITH("\"name\": \"acme\""), "none" },
	{ "suspend nobody", PEER_ADMIN, OUTBIND("SuspendBinding") WITH("\"name\": \"acne\""),
	  "org.outbind.BindingNotFound" },
	{ "suspend the implicit default", PEER_ADMIN,
	  OUTBIND("SuspendBinding") WITH("\"name\": \"default\""), "none" },
	{ "resume the implicit default", PEER_ADMIN,
	  OUTBIND("ResumeBinding") WITH("\"name\": \"default\""), "none" },
	{ "a reader does not change", PEER_READ,
	  OUTBIND("Change") WITH("\"text\": \"binding x { address 192.0.2.7; }\""),
	  "org.outbind.PermissionDenied" },
	{ "root changes", PEER_ADMIN,
	  OUTBIND("Change") WITH("\"text\": \"binding x { address 192.0.2.7; }\""), "none" },
	{ "a change that is none", PEER_ADMIN, OUTBIND("Change") WITH("\"text\": \"\""), "none" },
	{ "a change that is wrong", PEER_ADMIN, OUTBIND("Change") WITH("\"text\": \"binding {\""),
	  "org.outbind.ConfigurationInvalid" },
	{ "a name that is no text", PEER_ADMIN,
	  OUTBIND("Change") WITH("\"text\": \"\", \"dry_run\": 1"), "org.varlink.service.InvalidParameter" },
	{ "root sets", PEER_ADMIN,
	  OUTBIND("SetBinding") WITH("\"name\": \"x\", \"settings\": \"ehlo x.example;\""), "none" },
	{ "root sets what is not there", PEER_ADMIN,
	  OUTBIND("SetBinding") WITH("\"name\": \"nobody\", \"settings\": \"ehlo x.example;\""),
	  "org.outbind.BindingNotFound" },
	{ "root takes it back", PEER_ADMIN, OUTBIND("Change") WITH("\"text\": \"remove binding x;\""),
	  "none" },
	{ "what was changed", PEER_READ, OUTBIND("GetRuntime") "}", "none" },
	{ "exec without cgroups", PEER_ADMIN, OUTBIND("PrepareExec") WITH("\"binding\": \"acme\""),
	  "org.outbind.KernelRefused" },
	{ "exec of nobody", PEER_ADMIN, OUTBIND("PrepareExec") WITH("\"binding\": \"x\""),
	  "org.outbind.BindingNotFound" },
	{ "our description", PEER_NONE,
	  SERVICE("GetInterfaceDescription") WITH("\"interface\": \"org.outbind\""), "none" },
	{ "another's description", PEER_NONE,
	  SERVICE("GetInterfaceDescription") WITH("\"interface\": \"org.other\""),
	  "org.varlink.service.InterfaceNotFound" },
};

static void test_calls(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		json_t *answer = ask(*state, calls[i].right, calls[i].call);

		if (strcmp(error_of(answer), calls[i].want) != 0)
			fail_msg("%s: got %s, want %s", calls[i].what, error_of(answer),
				 calls[i].want);
		assert_true(json_is_object(json_object_get(answer, "parameters")));
		json_decref(answer);
	}
}

static json_t *parameters_of(const json_t *answer)
{
	return json_object_get(answer, "parameters");
}

/* What is shown of a suspended binding, and what a packet of its client is told. */
static void test_suspended_is_shown(void **state)
{
	const char *reason = NULL, *verdict = NULL;
	int suspended = 0, usable = 1;
	json_t *answer;

	json_decref(ask(*state, PEER_ADMIN, OUTBIND("SuspendBinding") WITH("\"name\": \"acme\"")));
	answer = ask(*state, PEER_READ, OUTBIND("ShowBinding") WITH("\"name\": \"acme\""));
	assert_int_equal(json_unpack(parameters_of(answer), "{s:{s:b, s:{s:{s:b, s:s}}}}", "binding",
				     "suspended", &suspended, "usable", "ipv4", "usable", &usable,
				     "reason", &reason), 0);
	assert_true(suspended);
	assert_false(usable);
	assert_string_equal(reason, "suspended");
	json_decref(answer);
	answer = ask(*state, PEER_READ, OUTBIND("Explain")
		     WITH("\"to\": \"198.51.100.1\", \"user\": \"1001\""));
	assert_int_equal(json_unpack(parameters_of(answer), "{s:s, s:s}", "verdict", &verdict,
				     "reason", &reason), 0);
	assert_string_equal(verdict, "unusable");
	assert_string_equal(reason, "suspended");
	json_decref(answer);
}

static void test_not_a_call(void **state)
{
	static const char *const texts[] = { "{}", "{\"method\": 1}",
					     "{\"method\": \"org.outbind.GetStatus\", \"parameters\": 1}" };
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_t *message = json_loads(texts[i], 0, NULL);
		struct reply reply;

		assert_int_equal(control_call(&lab->agent, PEER_ADMIN, message, &reply), -EBADMSG);
		json_decref(message);
	}
}

/* Every method of the interface is in the table, and answers something else than "not found". */
static void test_interface_is_complete(void **state)
{
	const char *at = varlink_description;
	int n = 0;

	while ((at = strstr(at, "\nmethod "))) {
		char name[64], text[128];
		json_t *answer;

		assert_int_equal(sscanf(at, "\nmethod %63[A-Za-z]", name), 1);
		snprintf(text, sizeof text, "{\"method\": \"org.outbind.%s\", \"more\": true}", name);
		answer = ask(*state, PEER_READ, text);
		if (strstr(error_of(answer), "NotFound") || strstr(error_of(answer), "NotImplemented"))
			fail_msg("%s: got %s", name, error_of(answer));
		json_decref(answer);
		at++;
		n++;
	}
#define METHOD(name, right, run, parameters) n--;
#include "daemon/methods.def"
#undef METHOD
	assert_int_equal(n, 0);
}

static void test_oneway(void **state)
{
	struct lab *lab = *state;

	assert_null(ask(lab, PEER_ADMIN, OUTBIND("Reload") ", \"oneway\": true}"));
	assert_int_equal(lab->agent.generation, 2);
	assert_null(ask(lab, PEER_READ, OUTBIND("ListBindings") ", \"oneway\": true, \"more\": true}"));
}

static void test_status(void **state)
{
	struct lab *lab = *state;
	json_t *answer = ask(lab, PEER_READ, OUTBIND("GetStatus") "}");
	const json_t *status = json_object_get(answer, "parameters");

	assert_int_equal(json_integer_value(json_object_get(status, "bindings")), 2);
	assert_int_equal(json_integer_value(json_object_get(status, "usable")), 1);
	assert_int_equal(json_integer_value(json_object_get(status, "rules")), 3);
	assert_int_equal(json_integer_value(json_object_get(status, "mask")), DEFAULT_MASK);
	assert_true(json_integer_value(json_object_get(status, "memory")) > 0);
	assert_true(json_is_true(json_object_get(status, "owned")));
	json_decref(answer);
}

static void test_reload_refused(void **state)
{
	struct lab *lab = *state;
	json_t *answer, *parameters;

	lab->conf = "binding acme {";
	answer = ask(lab, PEER_ADMIN, OUTBIND("Reload") "}");
	assert_string_equal(error_of(answer), "org.outbind.ConfigurationInvalid");
	parameters = json_object_get(answer, "parameters");
	assert_true(json_array_size(json_object_get(parameters, "problems")) > 0);
	json_decref(answer);
	lab->conf = "binding acme { address 192.0.2.1; }";
	lab->fake.fail_commit = -EINVAL;
	lab->fake.blame = true;
	lab->fake.blame_set = SET_BY_USER;
	answer = ask(lab, PEER_ADMIN, OUTBIND("Reload") "}");
	assert_string_equal(error_of(answer), "org.outbind.KernelRefused");
	parameters = json_object_get(answer, "parameters");
	assert_string_equal(json_string_value(json_object_get(parameters, "place")), "test.conf:4:3");
	json_decref(answer);
}

static void test_explain_compares_with_kernel(void **state)
{
	static const char call[] = OUTBIND("Explain") WITH("\"to\": \"198.51.100.1\", \"user\": \"1001\"");
	struct lab *lab = *state;
	json_t *answer = ask(lab, PEER_READ, call);
	const json_t *told = json_object_get(answer, "parameters");

	assert_string_equal(json_string_value(json_object_get(told, "verdict")), "binding");
	assert_string_equal(json_string_value(json_object_get(told, "binding")), "acme");
	assert_string_equal(json_string_value(json_object_get(told, "source")), "192.0.2.1");
	assert_true(json_is_true(json_object_get(told, "agree")));
	json_decref(answer);
	lab->fake.sets[SET_SNAT4].n = 0;	/* somebody took it out of the kernel */
	answer = ask(lab, PEER_READ, call);
	told = json_object_get(answer, "parameters");
	assert_true(json_is_false(json_object_get(told, "agree")));
	json_decref(answer);
}

static void test_diff(void **state)
{
	static const char *const want[][3] = {
		{ "added", "binding", "gamma" }, { "removed", "binding", "beta" },
		{ "changed", "rule", "user 1001" }, { "removed", "rule", "user 1002 port 25" },
	};
	struct lab *lab = *state;
	json_t *answer;
	const json_t *changes;

	lab->conf = "binding acme { address 192.0.2.1; allow user 1001; }\n"
		    "binding gamma { address 192.0.2.3; }\n"
		    "policy { user 1001 pass; otherwise port 25 reject; }\n";
	answer = ask(lab, PEER_READ, OUTBIND("Diff") "}");
	changes = json_object_get(json_object_get(answer, "parameters"), "changes");
	assert_int_equal(json_array_size(changes), ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		bool found = false;

		for (size_t j = 0; j < ARRAY_LEN(want); j++) {
			const json_t *one = json_array_get(changes, j);

			found = found ||
				(!strcmp(json_string_value(json_object_get(one, "what")), want[i][0]) &&
				 !strcmp(json_string_value(json_object_get(one, "kind")), want[i][1]) &&
				 !strcmp(json_string_value(json_object_get(one, "name")), want[i][2]));
		}
		if (!found)
			fail_msg("no change '%s %s %s'", want[i][0], want[i][1], want[i][2]);
	}
	json_decref(answer);
}

static char *many_bindings(int n)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	for (int i = n - 1; i >= 0; i--)
		fprintf(out, "binding n%04d { address 10.0.%d.%d; }\n", i, i / 250, i % 250 + 1);
	fputs("policy {\n", out);
	for (int i = 0; i < n; i++)
		fprintf(out, "user %d use n%04d;\n", 2000 + i, i);
	fputs("}\n", out);
	fclose(out);
	return text;
}

/* Count what a stream brings; names must ascend. @change: reload after the first piece. */
static size_t drain(struct lab *lab, const char *call, const char *list, bool change,
		    const char **ret_error)
{
	struct stream *stream;
	json_t *answer = ask_stream(lab, PEER_READ, call, &stream);
	char last[64] = "";
	size_t n = 0;

	for (;;) {
		const json_t *items = json_object_get(json_object_get(answer, "parameters"), list);
		bool end = !stream;

		*ret_error = strcmp(error_of(answer), "org.outbind.Busy") == 0 ? "Busy" : NULL;
		for (size_t i = 0; i < json_array_size(items); i++, n++) {
			const char *name = json_string_value(
				json_object_get(json_array_get(items, i), "name"));

			assert_true(!name || strcmp(name, last) > 0);
			snprintf(last, sizeof last, "%s", name ? name : "");
		}
		json_decref(answer);
		if (end)
			return n;
		if (change)
			assert_int_equal(agent_reload(&lab->agent, &lab->out), 0);
		change = false;
		answer = control_call_next(&lab->agent, stream, &end);
		if (end) {
			stream->free(stream);
			stream = NULL;
		}
	}
}

static void test_lists_in_pieces(void **state)
{
	static const char bindings[] = OUTBIND("ListBindings") ", \"more\": true}";
	static const char rules[] = OUTBIND("ListPolicy") ", \"more\": true}";
	struct lab *lab = *state;
	char *AUTO(mem_drop) conf = many_bindings(450);
	const char *error;
	json_t *answer;

	assert_int_equal(lab_reload(lab, conf), 0);
	assert_int_equal(drain(lab, bindings, "bindings", false, &error), 451);
	assert_int_equal(drain(lab, rules, "rules", false, &error), 450);
	assert_null(error);
	assert_int_equal(drain(lab, bindings, "bindings", true, &error), 451);
	assert_null(error);
	assert_int_equal(drain(lab, rules, "rules", true, &error), 200);
	assert_string_equal(error, "Busy");
	answer = ask(lab, PEER_READ, OUTBIND("ListBindings") "}");
	assert_string_equal(error_of(answer), "org.varlink.service.ExpectedMore");
	json_decref(answer);
}

static void test_render_one_at_a_time(void **state)
{
	static const char call[] = OUTBIND("Render") ", \"more\": true}";
	struct lab *lab = *state;
	char *AUTO(mem_drop) conf = many_bindings(400);
	struct stream *stream;
	json_t *first, *second;

	for (int i = 0; i < 400; i++) {
		char address[32];

		snprintf(address, sizeof address, "10.0.%d.%d", i / 250, i % 250 + 1);
		fake_kernel_address(&lab->fake, address);
	}
	assert_int_equal(lab_reload(lab, conf), 0);
	first = ask_stream(lab, PEER_READ, call, &stream);
	assert_non_null(stream);
	second = ask(lab, PEER_READ, call);
	assert_string_equal(error_of(second), "org.outbind.Busy");
	json_decref(second);
	stream->free(stream);
	second = ask(lab, PEER_READ, call);
	assert_string_equal(error_of(second), "none");
	json_decref(second);
	json_decref(first);
}

struct slow { struct stream stream; int pieces; bool ready; };

static void next_slow(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct slow *slow = (struct slow *)stream;

	(void)agent;
	*ret = (struct answer){ .waits = true };
	if (!slow->ready)
		return;
	slow->ready = false;
	*ret = (struct answer){ .parameters = json_object(), .continues = --slow->pieces > 0 };
}

/* A stream that has nothing yet is not at its end, and nothing is sent for it. */
static void test_stream_waits(void **state)
{
	struct lab *lab = *state;
	struct slow slow = { .stream = { .next = next_slow }, .pieces = 2 };
	bool last = true;

	for (int i = 0; i < 3; i++) {
		assert_null(control_call_next(&lab->agent, &slow.stream, &last));
		assert_false(last);
	}
	for (int i = 1; i >= 0; i--) {
		json_t *answer;

		slow.ready = true;
		answer = control_call_next(&lab->agent, &slow.stream, &last);
		assert_non_null(answer);
		assert_int_equal(json_is_true(json_object_get(answer, "continues")), i);
		assert_int_equal(last, !i);
		json_decref(answer);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_calls), TEST(test_suspended_is_shown),
		TEST(test_not_a_call), TEST(test_interface_is_complete),
		TEST(test_oneway), TEST(test_status), TEST(test_reload_refused),
		TEST(test_explain_compares_with_kernel), TEST(test_diff),
		TEST(test_lists_in_pieces), TEST(test_render_one_at_a_time),
		TEST(test_stream_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
