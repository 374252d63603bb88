/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Active probes: thresholds and words. */
#include "daemon/probe.h"
#include "plan/plan_reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *what;
	uint32_t down, up;
	const char *answers, *want;		/* + answered, - did not; w it works, f it fails */
} rows[] = {
	{ "works from the start", 3, 2, "+", "w" },
	{ "fails after three in a row", 3, 2, "---", "wwf" },
	{ "two and an answer are nothing", 3, 2, "--+--+--", "wwwwwwww" },
	{ "works after two in a row", 3, 2, "---++", "wwffw" },
	{ "one answer is nothing", 3, 2, "---+-+-+-", "wwfffffff" },
	{ "thresholds of one follow at once", 1, 1, "-+-+", "fwfw" },
	{ "and the count begins anew", 2, 2, "--++-+--", "wffwwwwf" },
};

static void test_thresholds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct probe probe = { .down = rows[i].down, .up = rows[i].up };
		struct probe_count count = { 0 };

		for (size_t k = 0; rows[i].answers[k]; k++) {
			bool was = count.failing;
			bool changed = probe_count(&count, &probe, rows[i].answers[k] == '+');

			if (count.failing != (rows[i].want[k] == 'f') ||
			    changed != (was != count.failing))
				fail_msg("%s: after answer %zu", rows[i].what, k + 1);
		}
	}
}

static void test_text(void **state)
{
	struct probe probe = { .kind = PROBE_TCP, .port = 25 };
	char text[PROBE_TEXT];

	(void)state;
	assert_int_equal(ip_parse("192.0.2.1", &probe.to), 0);
	assert_string_equal(plan_reason_probe(&probe, text), "tcp 192.0.2.1:25");
	assert_int_equal(ip_parse("2001:db8::1", &probe.to), 0);
	assert_string_equal(plan_reason_probe(&probe, text), "tcp [2001:db8::1]:25");
	probe.kind = PROBE_ICMP;
	assert_string_equal(plan_reason_probe(&probe, text), "icmp 2001:db8::1");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thresholds),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
