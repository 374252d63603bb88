/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capture as a call: whom it takes, what it answers, that it waits, and that it ends. */
#include "agent_lab.h"
#include "base/mem.h"
#include "daemon/control_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define CONF	"binding acme { address 192.0.2.1; }\n" \
		"binding beta { address 192.0.2.2; }\n" \
		"binding gamma { address 192.0.2.3; }\n" \
		"group both { member gamma; member beta; }\n" \
		"policy { user 7 use gamma; user 8 use acme; }\n"

static int setup(void **state)
{
	return lab_setup(state, "192.0.2.1 192.0.2.2 192.0.2.3", CONF);
}

static struct reply call(struct lab *lab, enum peer_right right, const char *parameters, bool more)
{
	json_t *message = json_pack("{s:s, s:o, s:b}", "method", "org.outbind.Capture", "parameters",
				    json_loads(parameters, 0, NULL), "more", more);
	struct reply reply = { 0 };

	assert_int_equal(control_call(&lab->agent, right, message, &reply), 0);
	json_decref(message);
	return reply;
}

static const char *error_of(const struct reply *reply)
{
	const char *error = json_string_value(json_object_get(reply->message, "error"));

	return error ? error : "";
}

static void test_refused(void **state)
{
	static const struct { const char *parameters, *error; } rows[] = {
		{ "{\"group\":0,\"binding\":\"acme\"}", "org.varlink.service.InvalidParameter" },
		{ "{\"group\":65536,\"binding\":\"acme\"}", "org.varlink.service.InvalidParameter" },
		{ "{\"group\":1}", "org.varlink.service.InvalidParameter" },
		{ "{\"binding\":\"acme\"}", "org.varlink.service.InvalidParameter" },
		{ "{\"group\":1,\"binding\":\"acme\",\"user\":\"7\"}", "org.varlink.service.InvalidParameter" },
		{ "{\"group\":1,\"user\":\"7\",\"source\":\"10.0.0.0/8\"}", "org.varlink.service.InvalidParameter" },
		{ "{\"group\":1,\"process_cgroup\":\"/x\"}", "org.varlink.service.InvalidParameter" },
		{ "{\"group\":1,\"process_cgroup\":\"/x\",\"user\":\"7\",\"unit\":\"a.service\"}",
		  "org.varlink.service.InvalidParameter" },
		{ "{\"group\":1,\"source\":\"10.0.0.1/8\"}", "org.varlink.service.InvalidParameter" },
		{ "{\"group\":1,\"binding\":\"nobody\"}", "org.outbind.BindingNotFound" },
		{ "{\"group\":1,\"binding\":\"default\"}", "org.outbind.BindingNotFound" },
		{ "{\"group\":1,\"user\":\"no such user\"}", "org.outbind.NotFound" },
		{ "{\"group\":1,\"cgroup\":\"/none\"}", "org.outbind.NotFound" },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reply reply = call(lab, PEER_ADMIN, rows[i].parameters, true);

		print_message("%s\n", rows[i].parameters);
		assert_string_equal(error_of(&reply), rows[i].error);
		assert_null(reply.stream);
		json_decref(reply.message);
	}
	assert_int_equal(lab->fake.captures, 0);
}

static void test_rights(void **state)
{
	struct lab *lab = *state;
	struct reply reply = call(lab, PEER_READ, "{\"group\":1,\"binding\":\"acme\"}", true);

	assert_string_equal(error_of(&reply), "org.outbind.PermissionDenied");
	json_decref(reply.message);
	reply = call(lab, PEER_ADMIN, "{\"group\":1,\"binding\":\"acme\"}", false);
	assert_string_equal(error_of(&reply), "org.varlink.service.ExpectedMore");
	json_decref(reply.message);
	assert_int_equal(lab->fake.captures, reply.stream ? 1 : 0);
	if (reply.stream)
		reply.stream->free(reply.stream);
	assert_int_equal(lab->fake.captures, 0);
}

/* "acme beta" of an answer's numbers, and that they are the plan's. */
static void check_numbers(struct lab *lab, json_t *message, const char *want)
{
	const json_t *list = json_object_get(json_object_get(message, "parameters"), "numbers");
	char got[256] = "";

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name;
		json_int_t mark;

		assert_int_equal(json_unpack(json_array_get(list, i), "{s:s, s:I}", "binding", &name,
					     "mark", &mark), 0);
		assert_int_equal(mark, lab_mark(lab, name));
		(void)sprintf(got + strlen(got), "%s%s", i > 0 ? " " : "", name);
	}
	assert_string_equal(got, want);
}

static void test_clients(void **state)
{
	static const struct {
		const char *parameters, *numbers;
		bool has_user;
		uint32_t user;
		uint8_t bits;
	} rows[] = {
		{ "{\"group\":5,\"binding\":\"acme\"}", "acme", false, 0, 0 },
		{ "{\"group\":5,\"binding\":\"both\"}", "gamma beta", false, 0, 0 },
		{ "{\"group\":5,\"user\":\"7\"}", "gamma acme beta", true, 7, 0 },
		{ "{\"group\":5,\"source\":\"10.0.0.0/8\"}", "acme beta gamma", false, 0, 8 },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reply reply = call(lab, PEER_ADMIN, rows[i].parameters, true);
		bool last = true;

		print_message("%s\n", rows[i].parameters);
		assert_non_null(reply.stream);
		assert_true(json_is_true(json_object_get(reply.message, "continues")));
		check_numbers(lab, reply.message, rows[i].numbers);
		json_decref(reply.message);
		assert_int_equal(lab->fake.captured.group, 5);
		assert_int_equal(lab->fake.captured.mask.host, lab->agent.now->plan.mask.host);
		assert_int_equal(lab->fake.captured.has_user, rows[i].has_user);
		assert_int_equal(lab->fake.captured.user, rows[i].user);
		assert_int_equal(lab->fake.captured.source.bits, rows[i].bits);
		assert_null(control_call_next(&lab->agent, reply.stream, &last));
		assert_false(last);
		assert_int_equal(lab->fake.captures, 1);
		reply.stream->free(reply.stream);
		assert_int_equal(lab->fake.captures, 0);
		assert_int_equal(lab->agent.captures, 0);
	}
}

static void test_many(void **state)
{
	struct lab *lab = *state;
	struct reply replies[9];

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		replies[i] = call(lab, PEER_ADMIN, "{\"group\":5,\"binding\":\"acme\"}", true);
		assert_string_equal(error_of(&replies[i]), i < 8 ? "" : "org.outbind.Busy");
		json_decref(replies[i].message);
	}
	for (size_t i = 0; i < 8; i++)
		replies[i].stream->free(replies[i].stream);
	assert_int_equal(lab->fake.captures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused, setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_rights, setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_clients, setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
