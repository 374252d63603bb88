/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of the flow log are JSON whatever the name, and hold what is known and nothing else. */
#include "base/own.h"
#include "daemon/flow_record.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct follow_event ended(void)
{
	struct follow_event event = { .news = FLOW_ENDS, .verdict = SOURCE_OWN };
	struct connection *c = &event.connection;

	*c = (struct connection){ .protocol = 6, .state = "", .from_port = 40001, .to_port = 25,
				  .source_port = 40002 };
	assert_int_equal(ip_parse("10.0.0.1", &c->from), 0);
	assert_int_equal(ip_parse("2001:db8::1", &c->source), 0);
	assert_int_equal(ip_parse("203.0.113.1", &c->to), 0);
	return event;
}

static json_t *print(const struct follow_event *event, const char *name, uint64_t missed)
{
	static const struct timespec now = { 1700000000, 42000000 };
	char line[FLOW_RECORD];
	size_t len = flow_record_print(event, name, true, missed, &now, line);
	json_t *json;

	assert_true(len < FLOW_RECORD);
	assert_int_equal(line[len - 1], '\n');
	assert_null(memchr(line, '\n', len - 1));
	json = json_loadb(line, len, 0, NULL);
	assert_non_null(json);
	return json;
}

static const char *text(const json_t *json, const char *key)
{
	const char *value = json_string_value(json_object_get(json, key));

	return value ? value : "";
}

static void test_least(void **state)
{
	struct follow_event event = ended();
	json_t *json = print(&event, NULL, 0);

	(void)state;
	assert_string_equal(text(json, "time"), "2023-11-14T22:13:20.042Z");
	assert_string_equal(text(json, "source"), "2001:db8::1");
	assert_string_equal(text(json, "verdict"), "own");
	assert_int_equal(json_integer_value(json_object_get(json, "source_port")), 40002);
	assert_int_equal(json_object_size(json), 9);
	json_decref(json);
}

static void test_most(void **state)
{
	struct follow_event event = ended();
	json_t *json;

	(void)state;
	event.owned = true;
	event.owner.uid = UINT32_MAX;
	event.owner.cgroup = UINT64_MAX >> 1;
	event.connection.counted = true;
	event.connection.began = 1699999999000000000;
	event.connection.ended = 1700000001500000000;
	for (int i = 0; i < 2; i++)
		event.connection.packets[i] = event.connection.bytes[i] = UINT64_MAX >> 1;
	json = print(&event, "acme", 7);
	assert_string_equal(text(json, "binding"), "acme");
	assert_string_equal(text(json, "time"), "2023-11-14T22:13:21.500Z");
	assert_string_equal(text(json, "began"), "2023-11-14T22:13:19.000Z");
	assert_int_equal(json_integer_value(json_object_get(json, "duration_ms")), 2500);
	assert_int_equal(json_integer_value(json_object_get(json, "missed")), 7);
	assert_int_equal(json_object_size(json), 20);
	json_decref(json);
}

static void test_names(void **state)
{
	static const char *const names[] = { "a\"b", "a\\", "a\\\"", "\tx", "b\xc3\xbc" };
	struct follow_event event = ended();
	char longest[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		json_t *json = print(&event, names[i], 0);

		assert_string_equal(text(json, "binding"), names[i]);
		json_decref(json);
	}
	memset(longest, '"', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	json_decref(print(&event, longest, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_least),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("flow_record", tests, NULL, NULL);
}
