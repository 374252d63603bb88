/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gate tells the agent: calls and requests there and back, and everything that is none. */
#include "gate/gate_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static uint8_t bytes[GATE_MESSAGE_MAX];

/* As the agent gets what a peer wrote: parsed, written, read. The call, whose texts live in @bytes. */
static int pass(const char *text, struct gate_call *ret)
{
	json_t *json = json_loads(text, 0, NULL);
	struct gate_message sent = { .word = GATE_CALL, .id = 77 }, got;
	int r;

	assert_non_null(json);
	memset(&got, 0xa5, sizeof got);
	r = gate_message_call(json, &sent.call);
	if (r == 0) {
		size_t n = gate_message_write(&sent, bytes);

		assert_int_equal(gate_message_read(bytes, n, &got), 0);
		assert_int_equal(got.word, GATE_CALL);
		assert_int_equal(got.id, 77);
		*ret = got.call;
	}
	json_decref(json);
	return r;
}

static const struct {
	const char *what, *text;
	enum gate_fault fault;
	const char *want;			/* of a fault its name, else the parameters */
} calls[] = {
	{ "without parameters", "{\"method\": \"org.outbind.GetStatus\"}", GATE_FINE, "{}" },
	{ "null parameters", "{\"method\": \"org.outbind.GetStatus\", \"parameters\": null}",
	  GATE_FINE, "{}" },
	{ "a text", "{\"method\": \"org.outbind.ShowBinding\", \"parameters\": {\"name\": \"a\"}}",
	  GATE_FINE, "{\"name\":\"a\"}" },
	{ "an empty text", "{\"method\": \"org.outbind.ShowBinding\", \"parameters\": {\"name\": \"\"}}",
	  GATE_FINE, "{\"name\":\"\"}" },
	{ "all kinds, in another order",
	  "{\"method\": \"org.outbind.RemoveBinding\", \"parameters\": {\"kill\": false, \"timeout\": -1,"
	  " \"drain\": true, \"name\": \"a\"}}",
	  GATE_FINE, "{\"drain\":true,\"kill\":false,\"name\":\"a\",\"timeout\":-1}" },
	{ "null is left out", "{\"method\": \"org.outbind.Explain\", \"parameters\": {\"to\": \"x\","
	  " \"port\": null}}", GATE_FINE, "{\"to\":\"x\"}" },
	{ "the largest number", "{\"method\": \"org.outbind.Explain\", \"parameters\": {\"to\": \"x\","
	  " \"port\": 9223372036854775807}}", GATE_FINE, "{\"port\":9223372036854775807,\"to\":\"x\"}" },
	{ "no such method", "{\"method\": \"org.outbind.Nonsense\"}", GATE_NO_METHOD,
	  "org.outbind.Nonsense" },
	{ "an empty name", "{\"method\": \"\"}", GATE_NO_METHOD, "" },
	{ "missing", "{\"method\": \"org.outbind.ShowBinding\"}", GATE_BAD_PARAMETER, "name" },
	{ "of another type", "{\"method\": \"org.outbind.ShowBinding\", \"parameters\": {\"name\": 1}}",
	  GATE_BAD_PARAMETER, "name" },
	{ "unknown", "{\"method\": \"org.outbind.GetStatus\", \"parameters\": {\"x\": 1}}",
	  GATE_BAD_PARAMETER, "x" },
	{ "a prefix of a name", "{\"method\": \"org.outbind.Explain\", \"parameters\": {\"to\": \"x\","
	  " \"po\": 1}}", GATE_BAD_PARAMETER, "po" },
};

static void test_calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		struct gate_call call;
		char *text = NULL;

		assert_int_equal(pass(calls[i].text, &call), 0);
		assert_int_equal(call.fault, calls[i].fault);
		if (call.fault == GATE_FINE) {
			json_t *parameters = gate_message_parameters(&call);

			text = json_dumps(parameters, JSON_COMPACT | JSON_SORT_KEYS);
			json_decref(parameters);
		}
		if (strcmp(text ? text : call.at_fault, calls[i].want) != 0)
			fail_msg("%s: got %s, want %s", calls[i].what, text ? text : call.at_fault,
				 calls[i].want);
		free(text);
	}
}

static void test_no_calls(void **state)
{
	static const char *const texts[] = { "{}", "{\"method\": 1}", "{\"method\": null}",
					     "{\"method\": \"org.outbind.GetStatus\", \"parameters\": []}" };
	struct gate_call call;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(pass(texts[i], &call), -EBADMSG);
}

static void test_flags(void **state)
{
	struct gate_call call;

	(void)state;
	assert_int_equal(pass("{\"method\": \"org.outbind.Monitor\", \"more\": true}", &call), 0);
	assert_true(call.more && !call.oneway);
	assert_int_equal(pass("{\"method\": \"org.outbind.Monitor\", \"oneway\": true}", &call), 0);
	assert_true(!call.more && call.oneway);
	assert_int_equal(pass("{\"method\": \"org.outbind.Monitor\", \"more\": 1}", &call), 0);
	assert_false(call.more);
}

/* What is longer than any name has no way in, and what names it is cut. */
static void test_long(void **state)
{
	char text[GATE_TEXT_MAX + 200], name[GATE_TEXT_MAX + 2];
	struct gate_call call;

	(void)state;
	memset(name, 'x', sizeof name);
	for (size_t len = GATE_TEXT_MAX; len <= GATE_TEXT_MAX + 1; len++) {
		snprintf(text, sizeof text, "{\"method\": \"org.outbind.ShowBinding\", \"parameters\": "
			 "{\"name\": \"%.*s\"}}", (int)len, name);
		assert_int_equal(pass(text, &call), 0);
		assert_int_equal(call.fault, len > GATE_TEXT_MAX ? GATE_BAD_PARAMETER : GATE_FINE);
	}
	assert_string_equal(call.at_fault, "name");
	snprintf(text, sizeof text, "{\"method\": \"%.*s\"}", GATE_TEXT_MAX, name);
	assert_int_equal(pass(text, &call), 0);
	assert_int_equal(strlen(call.at_fault), GATE_FAULT_MAX);
}

static void test_every_method_fits(void **state)
{
	(void)state;
	for (size_t i = 0; i < GATE_METHODS; i++) {
		const char *spec = gate_forms[i].parameters;
		struct gate_parameter parameter;
		size_t n = 0;

		for (; gate_method_parameter(&spec, &parameter); n++)
			assert_non_null(strchr("siba", parameter.type));
		assert_in_range(n, 0, GATE_VALUES_MAX);
		assert_int_equal(gate_method_find(gate_forms[i].name), i);
	}
	assert_int_equal(gate_method_find("org.outbind.Nonsense"), GATE_METHODS);
}

/* Its place among the parameters of Explain. */
static uint8_t place_of(const char *name)
{
	const char *spec = gate_forms[GATE_METHOD_explain].parameters;
	struct gate_parameter parameter;

	for (uint8_t i = 0; gate_method_parameter(&spec, &parameter); i++)
		if (strcmp(parameter.name, name) == 0)
			return i;
	fail_msg("Explain has no %s", name);
	return 0;
}

static size_t write_explain(void)
{
	struct gate_message message = { .word = GATE_CALL, .id = 1, .call = {
		.method = GATE_METHOD_explain, .n = 3, .values = {
			{ .index = place_of("mark"), .type = 'i', .number = 7 },
			{ .index = place_of("to"), .type = 's', .text = "192.0.2.1", .len = 9 },
			{ .index = place_of("protocol"), .type = 's', .text = "tcp", .len = 3 } } } };

	return gate_message_write(&message, bytes);
}

/* One octet too few or too many, at any place, is no message. */
static void test_cut(void **state)
{
	struct gate_message got;
	size_t n = write_explain();

	(void)state;
	assert_int_equal(gate_message_read(bytes, n, &got), 0);
	assert_int_equal(got.call.n, 3);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(gate_message_read(bytes, i, &got), -EBADMSG);
	bytes[n] = 0;
	assert_int_equal(gate_message_read(bytes, n + 1, &got), -EBADMSG);
}

/* Offsets in what write_explain() wrote: word 0, id 4, method 12, flags 14, fault 15, n 16, then values. */
static const struct {
	const char *what;
	size_t at;
	uint8_t byte;
} harms[] = {
	{ "word 0", 0, 0 }, { "an order", 0, GATE_NEXT }, { "a method that is not there", 13, 1 },
	{ "a flag that is not there", 14, 4 }, { "a fault that is not there", 15, 3 },
	{ "a fault without its text", 15, GATE_BAD_PARAMETER }, { "one value more", 16, 4 },
	{ "one value fewer", 16, 2 }, { "too many values", 16, GATE_VALUES_MAX + 1 },
	{ "an index that is not there", 17, 10 }, { "the type of another parameter", 18, 's' },
	{ "a type that is not there", 18, 'x' }, { "an index that does not ascend", 27, 2 },
	{ "a text that is too long", 29, 255 }, { "a NUL in a text", 31, 0 },
};

static void test_harm(void **state)
{
	struct gate_message got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(harms); i++) {
		size_t n = write_explain();

		assert_int_equal(gate_message_read(bytes, n, &got), 0);
		bytes[harms[i].at] = harms[i].byte;
		if (gate_message_read(bytes, n, &got) != -EBADMSG)
			fail_msg("%s: taken", harms[i].what);
	}
}

static void test_not_utf8(void **state)
{
	struct gate_message got;
	size_t n = write_explain();

	(void)state;
	bytes[31] = 0xff;
	assert_int_equal(gate_message_read(bytes, n, &got), 0);
	assert_null(gate_message_parameters(&got.call));
}

static void test_requests(void **state)
{
	static const char *const texts[] = { "TAG 1 a", "TAG 2 7 name:a", "ASK 2 4294967295 address:::1",
					     "WATCH 2", "TAG 2", "", "nonsense" };
	static const enum tag_request_kind want[] = {
		TAG_REQUEST_TAG, TAG_REQUEST_TAG_SECOND, TAG_REQUEST_ASK, TAG_REQUEST_WATCH,
		TAG_REQUEST_BAD, TAG_REQUEST_BAD, TAG_REQUEST_BAD };
	struct gate_message got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct gate_message sent = { .word = GATE_TAG, .id = UINT64_MAX };

		tag_request_read(texts[i], strlen(texts[i]), &sent.request);
		assert_int_equal(sent.request.kind, want[i]);
		assert_int_equal(gate_message_read(bytes, gate_message_write(&sent, bytes), &got),
				 0);
		assert_memory_equal(&got.request, &sent.request, sizeof got.request);
	}
	got = (struct gate_message){ .word = GATE_TAG, .request = { .kind = TAG_REQUEST_KINDS } };
	assert_int_equal(gate_message_read(bytes, gate_message_write(&got, bytes), &got), -EBADMSG);
	got.request = (struct tag_request){ .kind = TAG_REQUEST_ASK, .ip.len = 5 };
	assert_int_equal(gate_message_read(bytes, gate_message_write(&got, bytes), &got), -EBADMSG);
	got.request = (struct tag_request){ .kind = TAG_REQUEST_ASK };
	memset(got.request.name, 'a', sizeof got.request.name);
	assert_int_equal(gate_message_read(bytes, gate_message_write(&got, bytes), &got), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls), cmocka_unit_test(test_no_calls),
		cmocka_unit_test(test_flags), cmocka_unit_test(test_long),
		cmocka_unit_test(test_every_method_fits), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_harm), cmocka_unit_test(test_not_utf8),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
