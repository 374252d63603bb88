/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics stanza: what cannot be meant, said at its place. How it is printed is in the golden files. */
#include "conf_rows.h"

static const struct row rows[] = {
	{ .what = "everything given twice", .text =
	  "metrics { listen 127.0.0.1:1; listen 127.0.0.1:2; socket on; socket off;\n"
	  "traffic on; traffic off; bindings 5; bindings all; }",
	  .want = "1:31: 'listen' is given twice: expected once, as at main.conf:1:11\n"
		"1:62: 'socket' is given twice: expected once, as at main.conf:1:51\n"
		"2:13: 'traffic' is given twice: expected once, as at main.conf:2:1\n"
		"2:38: 'bindings' is given twice: expected once, as at main.conf:2:26" },
	{ .what = "two stanzas", .text = "metrics { }\nmetrics { socket off; }",
	  .want = "2:1: 'metrics' is given twice: expected once, as at main.conf:1:1" },
	{ .what = "numbers", .text = "metrics { bindings 0; }",
	  .want = "1:20: bindings '0' is not a number from 1 to 1000000" },
	{ .what = "no switch", .text = "metrics { traffic yes; }",
	  .want = "1:19: 'yes' is not 'on' or 'off': expected 'on' or 'off'" },
	{ .what = "no endpoint", .text = "metrics { listen 9199; }",
	  .want = "1:18: '9199' is not an endpoint: expected an address and a port such as 127.0.0.1:2526, [::1]:2526 or *:2526" },
	{ .what = "names that are keywords", .text =
	  "binding metrics { address 192.0.2.1; } binding bindings { address 192.0.2.2; }\n"
	  "binding traffic { address 192.0.2.3; } policy { user 1 use traffic; } metrics { listen [::1]:9199; listen; }",
	  .want = "2:106: found ';', expected an address and a port such as 127.0.0.1:2526" },
};

static void test_rows(void **unused)
{
	(void)unused;
	check_rows(rows, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
