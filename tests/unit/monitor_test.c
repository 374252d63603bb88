/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events for listeners: order, what is lost, fields taken apart. */
#include "daemon/monitor.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void test_nobody_listens(void **state)
{
	struct monitor *monitor = monitor_new();
	uint64_t position, dropped;

	(void)state;
	monitor_hear(monitor, EVENT_AGENT_STARTED, "version=1");
	position = monitor_join(monitor);
	assert_null(monitor_next(monitor, &position, &dropped));
	monitor_leave(monitor);
	monitor_free(monitor);
}

static unsigned woken;

static void wake(void *context)
{
	(void)context;
	woken++;
}

static void test_order(void **state)
{
	struct monitor *monitor = monitor_new();
	uint64_t early = monitor_join(monitor), late, dropped;
	const struct monitor_event *event;

	(void)state;
	woken = 0;
	monitor_on_event(monitor, wake, NULL);
	monitor_hear(monitor, EVENT_BINDING_UNUSABLE, "name=a");
	late = monitor_join(monitor);
	monitor_hear(monitor, EVENT_BINDING_USABLE, "name=b");
	assert_int_equal(woken, 2);
	event = monitor_next(monitor, &early, &dropped);
	assert_int_equal(event->event, EVENT_BINDING_UNUSABLE);
	assert_string_equal(event->fields, "name=a");
	event = monitor_next(monitor, &late, &dropped);
	assert_string_equal(event->fields, "name=b");
	assert_string_equal(monitor_next(monitor, &early, &dropped)->fields, "name=b");
	assert_int_equal(dropped, 0);
	assert_null(monitor_next(monitor, &early, &dropped));
	assert_null(monitor_next(monitor, &late, &dropped));
	monitor_leave(monitor);
	monitor_leave(monitor);
	monitor_free(monitor);
}

static void test_lost(void **state)
{
	struct monitor *monitor = monitor_new();
	uint64_t position = monitor_join(monitor), dropped;
	char text[32];

	(void)state;
	for (int i = 0; i < MONITOR_EVENTS + 7; i++) {
		snprintf(text, sizeof text, "n=%d", i);
		monitor_hear(monitor, EVENT_BINDING_USABLE, text);
	}
	assert_string_equal(monitor_next(monitor, &position, &dropped)->fields, "n=7");
	assert_int_equal(dropped, 7);
	for (int i = 8; i < MONITOR_EVENTS + 7; i++) {
		snprintf(text, sizeof text, "n=%d", i);
		assert_string_equal(monitor_next(monitor, &position, &dropped)->fields, text);
		assert_int_equal(dropped, 0);
	}
	assert_null(monitor_next(monitor, &position, &dropped));
	monitor_leave(monitor);
	monitor_free(monitor);
}

/* The latest are there for who comes later, and what is older goes, with listeners and after them. */
static void test_recent(void **state)
{
	struct monitor *monitor = monitor_new();
	uint64_t position, dropped;
	char text[32];

	(void)state;
	for (int i = 0; i < 2 * MONITOR_EVENTS + 5; i++) {
		if (i == 300)
			(void)monitor_join(monitor);
		if (i == 3000)
			monitor_leave(monitor);
		snprintf(text, sizeof text, "n=%d", i);
		monitor_hear(monitor, EVENT_BINDING_USABLE, text);
		if (i % 97 != 0 && i != 2999 && i != 3000 && i != 2 * MONITOR_EVENTS + 4)
			continue;
		position = monitor_recent(monitor);
		for (int at = i < MONITOR_RECENT ? 0 : i - MONITOR_RECENT + 1; at <= i; at++) {
			snprintf(text, sizeof text, "n=%d", at);
			assert_string_equal(monitor_next(monitor, &position, &dropped)->fields,
					    text);
			assert_int_equal(dropped, 0);
		}
		assert_null(monitor_next(monitor, &position, &dropped));
	}
	monitor_free(monitor);
}

static void test_fields(void **state)
{
	static const struct {
		const char *what, *text, *want;	/* key|value|... */
	} rows[] = {
		{ "plain", "name=acme family=ipv4", "name|acme|family|ipv4|" },
		{ "quoted", "reason=\"link eth1 is down\" n=1", "reason|link eth1 is down|n|1|" },
		{ "empty", "", "" },
		{ "an empty value", "a= b=\"\"", "a||b||" },
		{ "an equals sign in a text", "text=\"a=b c\"", "text|a=b c|" },
		{ "a text that was cut off", "text=\"a b", "text|a b|" },
		{ "a word that is no field ends it", "a=1 oops b=2", "a|1|" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char got[2048] = "", key[32], value[LOG_TEXT];
		const char *text = rows[i].text;

		while (monitor_field(&text, key, value)) {
			size_t len = strlen(got);

			snprintf(got + len, sizeof got - len, "%s|%s|", key, value);
		}
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].what, got, rows[i].want);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_recent),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
