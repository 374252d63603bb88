/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables as people see them: golden text. */
#include "../../ctl/table.h"
#include "ctl_support.h"

#include <locale.h>

static const struct column three[] = { { "NAME", ALIGN_LEFT }, { "N", ALIGN_RIGHT }, { "REST", ALIGN_LEFT } };
static const struct column untitled[] = { { NULL, ALIGN_LEFT }, { NULL, ALIGN_LEFT } };

static const struct {
	const char *what;
	const struct column *columns;
	size_t n_columns;
	unsigned width;
	const char *cells;			/* separated by | */
	const char *want;
} tables[] = {
	{ "titles alone", three, 3, 0, "", "NAME  N  REST\n" },
	{ "columns are as wide as their widest cell", three, 3, 0, "acme|1|a|b|1000|longer",
	  "NAME     N  REST\nacme     1  a\nb     1000  longer\n" },
	{ "no spaces at line ends", three, 3, 0, "a||", "NAME  N  REST\na\n" },
	{ "an empty cell in the middle", three, 3, 0, "a||z", "NAME  N  REST\na        z\n" },
	{ "an unfinished row is filled up", three, 3, 0, "a|1", "NAME  N  REST\na     1\n" },
	{ "a block has no titles", untitled, 2, 0, "a|1|long|2", "a     1\nlong  2\n" },
	{ "wide and combining characters", untitled, 2, 0, "日本|1|e\xcc\x81t\xc3\xa9|2|abcd|3",
	  "日本  1\ne\xcc\x81t\xc3\xa9   2\nabcd  3\n" },
	{ "control characters are shown", untitled, 2, 0, "a\033[31m|\xc2\x9b\x7f", "a\\x1b[31m  \\x9b\\x7f\n" },
	{ "bytes that are not UTF-8", untitled, 2, 0, "\xff\xc3|x", "??  x\n" },
	{ "a terminal cuts the last cell", untitled, 2, 10, "name|0123456789", "name  012…\n" },
	{ "what fits is not cut", untitled, 2, 10, "name|0123", "name  0123\n" },
	{ "a wide character is not halved", untitled, 2, 10, "name|日本語", "name  日…\n" },
	{ "a file is never cut", untitled, 2, 0, "name|0123456789", "name  0123456789\n" },
};

static int check_table(size_t i)
{
	struct table table = { .columns = tables[i].columns, .n_columns = tables[i].n_columns };
	char *AUTO(mem_drop) cells = strdup(tables[i].cells), *rest = *cells ? cells : NULL, *cell;
	char got[512] = "";
	FILE *out = fmemopen(got, sizeof got, "w");
	int wrong;

	while ((cell = strsep(&rest, "|")))
		table_add(&table, cell, TINT_PLAIN);
	table_print(&table, out, tables[i].width, false);
	(void)fclose(out);
	wrong = differs(tables[i].what, "table", got, tables[i].want);
	table_drop(&table);
	return wrong;
}

static void test_tables(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		wrong += check_table(i);
	assert_int_equal(wrong, 0);
}

static void test_color(void **state)
{
	struct table table = { .columns = untitled, .n_columns = 2 };
	char got[128] = "";
	FILE *out = fmemopen(got, sizeof got, "w");

	(void)state;
	table_add(&table, "a", TINT_DIM);
	table_add(&table, "bad", TINT_BAD);
	table_print(&table, out, 0, true);
	(void)fclose(out);
	table_drop(&table);
	assert_string_equal(got, "\033[2ma\033[0m  \033[31mbad\033[0m\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_color),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		print_message("no C.UTF-8 locale: widths will be wrong\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
