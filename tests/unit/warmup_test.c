/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Days of a warm-up under clocks that jump, counts of elements that were made anew, and the file. */
#include "base/mem.h"
#include "plan/warmup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint32_t days[] = { 200, 500, 900 };
static const struct warmup warmup = { .days = days, .n_days = 3, .overflow = NO_INDEX };

static void test_clock(void **unused)
{
	static const struct {
		const char *what;
		int64_t since, now;
		uint32_t day;
		int64_t want_since;
	} rows[] = {
		{ "the day is not over", 1000, 1000 + WARMUP_DAY - 1, 1, 1000 },
		{ "it is", 1000, 1000 + WARMUP_DAY, 2, 1000 + WARMUP_DAY },
		{ "seen late", 1000, 1000 + WARMUP_DAY + 500, 2, 1000 + WARMUP_DAY },
		{ "the clock jumped by days", 1000, 1000 + 5 * WARMUP_DAY, 2, 1000 + 5 * WARMUP_DAY },
		{ "begins in the future", 9000, 1000, 1, 1000 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct warmup_state state = { .day = 1, .since = rows[i].since, .used = 7 };

		(void)warmup_advance(&state, &warmup, rows[i].now);
		if (state.day != rows[i].day || state.since != rows[i].want_since ||
		    (state.day == 2 && state.used != 0))
			fail_msg("%s: day %u since %lld", rows[i].what, state.day,
				 (long long)state.since);
		assert_false(warmup_advance(&state, &warmup, rows[i].now));
	}
}

/* Never more than one day for each day that passes, wherever the clock is. */
static void test_end(void **unused)
{
	struct warmup_state state = { .day = 1, .since = 0 };

	(void)unused;
	for (int day = 1; day <= 3; day++) {
		assert_true(warmup_limits(&state, &warmup));
		assert_int_equal(warmup_quota(&state, &warmup), days[day - 1]);
		assert_true(warmup_advance(&state, &warmup, state.since + WARMUP_DAY));
	}
	assert_false(warmup_limits(&state, &warmup));
	assert_false(warmup_advance(&state, &warmup, state.since + WARMUP_DAY));
	assert_false(warmup_limits(NULL, &warmup));
	assert_false(warmup_limits(&state, NULL));
}

static void test_pause(void **unused)
{
	struct warmup_state state = { .day = 1, .since = 1000, .used = 5 };

	(void)unused;
	warmup_pause(&state, 1000 + 3600);
	assert_false(warmup_advance(&state, &warmup, 1000 + 50 * WARMUP_DAY));
	assert_int_equal(warmup_left(&state, &warmup), 195);
	warmup_resume(&state, 100000000);
	assert_int_equal(state.since, 100000000 - 3600);
	assert_false(warmup_advance(&state, &warmup, 100000000));
	assert_int_equal(state.day, 1);
}

static void test_count(void **unused)
{
	struct warmup_state state = { .day = 1 };

	(void)unused;
	assert_false(warmup_count(&state, &warmup, 30));
	assert_false(warmup_count(&state, &warmup, 50));
	assert_int_equal(warmup_used(&state), 50);
	assert_true(warmup_count(&state, &warmup, 4));	/* another element */
	assert_int_equal(state.used, 54);
	assert_int_equal(warmup_left(&state, &warmup), 146);
	assert_false(warmup_count(&state, &warmup, 1000));	/* it counts what it refuses */
	assert_int_equal(warmup_used(&state), 200);
	warmup_note(&state, &warmup, 3);
	assert_int_equal(warmup_used(&state), 200);
	assert_true(warmup_count(&state, &warmup, 0));
	assert_int_equal(warmup_left(&state, &warmup), 0);
}

static void test_text(void **unused)
{
	static const struct { const char *what, *text; uint32_t line; } rows[] = {
		{ "another version", "outbind-warmup 2\n", 1 },
		{ "cut off", "outbind-warmup 1\na 1 running 5 0 0", 2 },
		{ "a field less", "outbind-warmup 1\na 1 running 5 0\n", 2 },
		{ "a field more", "outbind-warmup 1\na 1 running 5 0 0 0\n", 2 },
		{ "day 0", "outbind-warmup 1\na 0 running 5 0 0\n", 2 },
		{ "no such state", "outbind-warmup 1\na 1 resting 5 0 0\n", 2 },
		{ "below 0", "outbind-warmup 1\na 1 running -5 0 0\n", 2 },
		{ "twice", "outbind-warmup 1\na 1 running 5 0 0\na 1 running 5 0 0\n", 3 },
		{ "an empty line", "outbind-warmup 1\n\n", 2 },
	};
	AUTO(warmups_drop) struct warmups warmups = { 0 }, again = { 0 };
	AUTO(mem_drop) char *text = NULL;
	uint32_t line;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)unused;
	warmups_start(&warmups, "b", 70)->used = 9;
	warmup_pause(warmups_start(&warmups, "a", 50), 60);
	warmups_write(&warmups, out);
	fclose(out);
	assert_string_equal(text, "outbind-warmup 1\na 1 paused 10 0 0\nb 1 running 70 9 0\n");
	assert_int_equal(warmups_read(text, len, &again, &line), 0);
	assert_int_equal(again.n, 2);
	assert_int_equal(warmups_find(&again, "b")->used, 9);
	assert_null(warmups_find(&again, "c"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(warmups_drop) struct warmups bad = { 0 };

		if (warmups_read(rows[i].text, strlen(rows[i].text), &bad, &line) != -EINVAL ||
		    line != rows[i].line)
			fail_msg("%s: line %u", rows[i].what, line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
