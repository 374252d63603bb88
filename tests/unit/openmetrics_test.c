/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of figures, in both formats, and what the ledger makes of counters that begin anew. */
#include "base/mem.h"
#include "daemon/ledger.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void fill(struct openmetrics *text)
{
	struct histogram histogram = { 0 };

	openmetrics_family(text, "a", OPENMETRICS_COUNTER, "Of a.");
	openmetrics_sample(text);
	openmetrics_count(text, UINT64_MAX);
	openmetrics_sample(text);
	openmetrics_label(text, "x", "q\"b\\n\nend");
	openmetrics_labels(text, "y=\"1\"");
	openmetrics_labels(text, "");
	openmetrics_count(text, 0);
	openmetrics_one(text, "b", OPENMETRICS_GAUGE, "Of b.", 7);
	openmetrics_family(text, "c", OPENMETRICS_INFO, "Of c.");
	openmetrics_sample(text);
	openmetrics_label(text, "v", "");
	openmetrics_count(text, 1);
	openmetrics_family(text, "d", OPENMETRICS_GAUGE, "Of d.");
	openmetrics_sample(text);
	openmetrics_micros(text, 1500001);
	openmetrics_sample(text);
	openmetrics_micros(text, 2000000);
	openmetrics_took(&histogram, 100);
	openmetrics_took(&histogram, 101);
	openmetrics_took(&histogram, UINT32_MAX);
	openmetrics_histogram(text, "e", "Of e.", &histogram);
}

#define SAMPLES_A "a_total 18446744073709551615\na_total{x=\"q\\\"b\\\\n\\nend\",y=\"1\"} 0\n"
#define REST \
	"# HELP d Of d.\n# TYPE d gauge\nd 1.500001\nd 2.0\n# HELP e Of e.\n# TYPE e histogram\n" \
	"e_bucket{le=\"0.0001\"} 1\ne_bucket{le=\"0.00025\"} 2\n"

static void check_format(enum openmetrics_format format, const char *want)
{
	AUTO(openmetrics_drop) struct openmetrics text;
	char *end;

	openmetrics_open(&text, format, -1);
	fill(&text);
	assert_int_equal(openmetrics_end(&text), 0);
	end = memmem(text.at, text.len, "e_bucket{le=\"0.0005\"}", 21);
	assert_non_null(end);
	assert_int_equal(strlen(want), end - text.at);
	assert_memory_equal(text.at, want, strlen(want));
	assert_non_null(memmem(text.at, text.len, "e_bucket{le=\"+Inf\"} 3\ne_sum 4294.967496\ne_count 3\n",
			       49));
	assert_int_equal(memmem(text.at, text.len, "# EOF\n", 6) != NULL, format == OPENMETRICS_1);
}

static void test_formats(void **unused)
{
	(void)unused;
	check_format(OPENMETRICS_PROMETHEUS,
		     "# HELP a_total Of a.\n# TYPE a_total counter\n" SAMPLES_A
		     "# HELP b Of b.\n# TYPE b gauge\nb 7\n"
		     "# HELP c_info Of c.\n# TYPE c_info gauge\nc_info{v=\"\"} 1\n" REST);
	check_format(OPENMETRICS_1,
		     "# HELP a Of a.\n# TYPE a counter\n" SAMPLES_A
		     "# HELP b Of b.\n# TYPE b gauge\nb 7\n"
		     "# HELP c Of c.\n# TYPE c info\nc_info{v=\"\"} 1\n" REST);
}

static void test_writing_fails(void **unused)
{
	struct fd full = { open("/dev/full", O_WRONLY | O_CLOEXEC) };
	AUTO(openmetrics_drop) struct openmetrics text;

	(void)unused;
	openmetrics_open(&text, OPENMETRICS_1, full.n);
	for (int i = 0; i < 100000; i++)
		openmetrics_one(&text, "b", OPENMETRICS_GAUGE, "Of b.", 7);
	assert_int_equal(openmetrics_end(&text), -ENOSPC);
	fd_drop(&full);
}

static void set_rows(struct ledger *ledger, const uint32_t *marks, size_t n)
{
	struct sheet sheet = { .has_rows = true };

	for (size_t i = 0; i < n; i++)
		PUSH(&sheet.rows, ((struct sheet_row){ .mark = marks[i] }));
	ledger_rows(ledger, &sheet);
}

static void test_counters_begin_anew(void **unused)
{
	static const uint32_t first[] = { 5, 3, 9 }, second[] = { 9, 7, 5 };
	struct ledger ledger = { 0 };

	(void)unused;
	set_rows(&ledger, first, 3);
	for (size_t i = 1; i < ledger.entries.n; i++)
		assert_true(ledger.entries.at[i - 1].row.mark < ledger.entries.at[i].row.mark);
	ledger_note(&ledger, ledger_find(&ledger, 5), LEDGER_SENT, FAMILY_IPV6,
		    (struct counted){ 10, 1000 });
	ledger_note(&ledger, ledger_find(&ledger, 5), LEDGER_SENT, FAMILY_IPV6,
		    (struct counted){ 12, 1100 });
	ledger_note(&ledger, ledger_find(&ledger, 5), LEDGER_SENT, FAMILY_IPV6,
		    (struct counted){ 3, 200 });
	assert_int_equal(ledger.totals[LEDGER_SENT][FAMILY_IPV6].packets, 15);
	assert_int_equal(ledger.totals[LEDGER_SENT][FAMILY_IPV6].octets, 1300);
	set_rows(&ledger, second, 3);
	assert_null(ledger_find(&ledger, 3));
	assert_int_equal(ledger_find(&ledger, 5)->counted[LEDGER_SENT][FAMILY_IPV6].packets, 3);
	assert_int_equal(ledger_find(&ledger, 7)->counted[LEDGER_SENT][FAMILY_IPV6].packets, 0);
	assert_int_equal(ledger_after(&ledger, 5), 1);
	assert_int_equal(ledger_after(&ledger, 9), 3);
	ledger_drop(&ledger);
}

static void test_busiest(void **unused)
{
	const struct ledger_entry *chosen[300];
	struct ledger ledger = { 0 };
	uint32_t marks[300];

	(void)unused;
	for (uint32_t i = 0; i < 300; i++)
		marks[i] = i * 7919 % 300 + 1;
	set_rows(&ledger, marks, 300);
	for (size_t i = 0; i < 300; i++)
		ledger_note(&ledger, &ledger.entries.at[i], LEDGER_CONNECTIONS, FAMILY_IPV4,
			    (struct counted){ ledger.entries.at[i].row.mark / 2, 0 });
	for (size_t n = 0; n <= 300; n += 17) {
		assert_int_equal(ledger_busiest(&ledger, n, chosen), n);
		for (size_t i = 0; i < n; i++) {	/* 300, then by pairs the lower one first */
			assert_true(chosen[i]->row.mark + n + 1 > 300);
			assert_true(i == 0 || chosen[i - 1] < chosen[i]);
		}
	}
	assert_int_equal(ledger_busiest(&ledger, 2, chosen), 2);
	assert_int_equal(chosen[0]->row.mark, 298);
	assert_int_equal(chosen[1]->row.mark, 300);
	assert_int_equal(ledger_busiest(&ledger, 1000, chosen), 300);
	ledger_drop(&ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_writing_fails),
		cmocka_unit_test(test_counters_begin_anew),
		cmocka_unit_test(test_busiest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
