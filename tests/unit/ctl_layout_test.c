/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a statement is laid out; and what was laid out once stays as it is. */
#include "../../ctl/layout.h"

#include "base/mem.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_rows(void **unused)
{
	static const struct { const char *what, *text, *want; } rows[] = {
		{ "one setting", "binding a {\n\taddress 192.0.2.1 ;\n}\n", "binding a { address 192.0.2.1; }" },
		{ "none", "binding a{}", "binding a { }" },
		{ "order", "binding a { limit new 1/second; allow user x; limit connections 2; address 192.0.2.1; }",
		  "binding a {\n    address 192.0.2.1;\n    limit new 1/second;\n    limit connections 2;\n    allow user x;\n}" },
		{ "blocks in it", "binding a { warmup { day 1 2; day 2 3; } }",
		  "binding a {\n    warmup {\n        day 1 2;\n        day 2 3;\n    }\n}" },
		{ "rules keep their order", "policy { user 2 pass; user 1 port 25,465 pass; }",
		  "policy {\n    user 2 pass;\n    user 1 port 25,465 pass;\n}" },
		{ "lists", "address 192.0.2.1 ,\n192.0.2.2,192.0.2.3;", "address 192.0.2.1, 192.0.2.2,192.0.2.3;" },
		{ "quotes", "policy { cgroup \"/a;}b \\\"\"  pass; }", "policy { cgroup \"/a;}b \\\"\" pass; }" },
		{ "a comment", "binding a { # x\n }\n", "binding a { # x\n }" },
		{ "two statements", "a; b;", "a; b;" },
		{ "no end", "binding a { ", "binding a {" },
		{ "a quote without end", "a \"b;", "a \"b;" },
		{ "nothing", " \n", "" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *AUTO(mem_drop) got = layout_statement(rows[i].text, strlen(rows[i].text));
		char *AUTO(mem_drop) again = layout_statement(got, strlen(got));

		if (strcmp(got, rows[i].want) != 0 || strcmp(again, got) != 0)
			fail_msg("%s: got\n%s\nthen\n%s\nwant\n%s", rows[i].what, got, again, rows[i].want);
	}
}

/* Pieces put together at random: no octet beyond the end is read, and the second time changes nothing. */
static void test_fixed_point(void **unused)
{
	static const char *const pieces[] = { "binding a { address 1, 2 ; ehlo \"x\\\"\" }", "{", "}", ";", ",",
					      "\"", "\\", "#", "policy { user 1 use a; }", " ", "\n", "a",
					      "\t", "warmup { day 1 2; }" };

	(void)unused;
	srand(1);
	for (int i = 0; i < 50000; i++) {
		char room[512] = "";
		char *AUTO(mem_drop) text = NULL, *AUTO(mem_drop) got = NULL;
		char *AUTO(mem_drop) again = NULL;

		for (int n = rand() % 12; n > 0; n--)
			strcat(room, pieces[(size_t)rand() % ARRAY_LEN(pieces)]);
		text = mem_copy(room);
		got = layout_statement(text, strlen(text));
		again = layout_statement(got, strlen(got));
		if (strcmp(got, again) != 0)
			fail_msg("<%s> became <%s>, and then <%s>", room, got, again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_fixed_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
