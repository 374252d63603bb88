/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of a binding replaced by keyword. */
#include "base/mem.h"
#include "daemon/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define STANZA \
	"binding a {\n    address 192.0.2.1, 192.0.2.2;\n    ehlo a.example;\n" \
	"    limit connections 20;\n    limit connections 5 per destination;\n" \
	"    warmup {\n        day 1 200;\n        day 2 500;\n    }\n" \
	"    allow user mail;\n    allow group mail;\n}\n"
#define ADDRESS	"    address 192.0.2.1, 192.0.2.2;\n"
#define EHLO	"    ehlo a.example;\n"
#define LIMITS	"    limit connections 20;\n    limit connections 5 per destination;\n"
#define WARMUP	"    warmup {\n        day 1 200;\n        day 2 500;\n    }\n"
#define ALLOW	"    allow user mail;\n    allow group mail;\n"

static const struct {
	const char *what, *settings, *want;
} rows[] = {
	{ "nothing", "", "binding a { \n" ADDRESS EHLO LIMITS WARMUP ALLOW "}\n" },
	{ "one", "ehlo b.example;", "binding a { ehlo b.example;\n" ADDRESS LIMITS WARMUP ALLOW "}\n" },
	{ "one of several with the same first word", "limit connections 7 per destination;",
	  "binding a { limit connections 7 per destination;\n" ADDRESS EHLO
	  "    limit connections 20;\n" WARMUP ALLOW "}\n" },
	{ "another kind of it stays", "limit new 3/second;",
	  "binding a { limit new 3/second;\n" ADDRESS EHLO LIMITS WARMUP ALLOW "}\n" },
	{ "a name for one family", "ehlo c.example for ipv6; remove ehlo for ipv4;",
	  "binding a { ehlo c.example for ipv6;                      \n" ADDRESS EHLO LIMITS WARMUP ALLOW "}\n" },
	{ "a block", "warmup { day 1 9; }", "binding a { warmup { day 1 9; }\n" ADDRESS EHLO LIMITS ALLOW "}\n" },
	{ "one taken away", "remove ehlo;", "binding a {             \n" ADDRESS LIMITS WARMUP ALLOW "}\n" },
	{ "a block taken away", "remove warmup;", "binding a {               \n" ADDRESS EHLO LIMITS ALLOW "}\n" },
	{ "allow by its kind", "allow group 7; remove allow user;",
	  "binding a { allow group 7;                   \n" ADDRESS EHLO LIMITS WARMUP "}\n" },
	{ "all of one first word taken away", "remove limit;",
	  "binding a {              \n" ADDRESS EHLO WARMUP ALLOW "}\n" },
	{ "all but one that is said", "remove limit; limit new 3/second;",
	  "binding a {               limit new 3/second;\n" ADDRESS EHLO WARMUP ALLOW "}\n" },
	{ "one that is misspelt, for the reader to find", "remove ehl;",
	  "binding a {        ehl;\n" ADDRESS EHLO LIMITS WARMUP ALLOW "}\n" },
	{ "one that is misspelt in its second word", "remove limit conections;",
	  "binding a {        limit conections;\n" ADDRESS EHLO LIMITS WARMUP ALLOW "}\n" },
	{ "a comment and a quote", "ehlo \"a;b}\"; # ehlo;\naddress 192.0.2.9;",
	  "binding a { ehlo \"a;b}\"; # ehlo;\naddress 192.0.2.9;\n" LIMITS WARMUP ALLOW "}\n" },
	{ "without its end", "ehlo x", "binding a { ehlo x\n" ADDRESS LIMITS WARMUP ALLOW "}\n" },
};

static void test_merge(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *AUTO(mem_drop) text = settings_merge(STANZA, rows[i].settings);

		if (strcmp(text, rows[i].want) != 0)
			fail_msg("%s: got\n%s, want\n%s", rows[i].what, text, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_merge) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
