/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What DNS should say about senders: what is wrong with it, where, and in which words. */
#include "conf_rows.h"

static const struct row rows[] = {
	{ .what = "domains", .text =
	  "binding a { address 192.0.2.1; sender-domain a..b, .example.com, \"\", a.example; }\n"
	  "binding b { address 192.0.2.2; sender-domain A.example, a.example.; }\n"
	  "binding c { address 192.0.2.3; sender-domain; }",
	  .want = "1:46: 'a..b' is not a domain, it has an empty label: expected one such as example.com, "
		"or .example.com for all below it\n"
		"1:52: '.example.com' begins with a dot: expected a domain such as example.com\n"
		"1:66: '' is not a domain, it is empty: expected one such as example.com, or "
		".example.com for all below it\n"
		"2:57: sender-domain 'a.example.' is given twice: expected it once\n"
		"3:45: found ';', expected a domain such as example.com" },
	{ .what = "require", .text =
	  "binding a { address 192.0.2.1; require fcrdns; require fcrdns warn; }\n"
	  "binding b { address 192.0.2.2; require spf; }\n"
	  "binding c { address 192.0.2.3; require fcrdns maybe; }\n"
	  "binding d { address 192.0.2.16/28 routed; require fcrdns; }\n"
	  "group e { member a; require fcrdns; }",
	  .want = "1:48: 'require fcrdns' is given twice: expected once, as at main.conf:1:32\n"
		"2:40: found 'spf', expected 'fcrdns'\n"
		"3:47: found 'maybe', expected 'reject', 'warn' or ';'\n"
		"4:43: 'require fcrdns' in a binding with a routed prefix (main.conf:4:21): expected "
		"addresses, since a prefix has no name\n"
		"5:21: found 'require', expected 'member', 'pick', 'limit', 'overflow', 'allow' or '}'" },
	{ .what = "the stanza", .text =
	  "dns { resolver ns.example; keep 30m; blocklist bl.example, BL.example; }\n"
	  "dns { }\nbinding a { address 192.0.2.1; }",
	  .want = "1:16: 'ns.example' is not an endpoint: expected the address of a resolver such as "
		"127.0.0.1, 127.0.0.1:5353 or [::1]:53\n"
		"1:33: '30m' is not a time to keep answers: expected one from 1h to 30d\n"
		"1:60: blocklist 'BL.example' is given twice: expected it once\n"
		"2:1: 'dns' is given twice: expected once, as at main.conf:1:1" },
	{ .what = "times", .text =
	  "dns { keep 31d; keep 2h; resolver 127.0.0.1; resolver 127.0.0.1; }\n"
	  "binding a { address 192.0.2.1; }",
	  .want = "1:12: '31d' is not a time to keep answers: expected one from 1h to 30d\n"
		"1:17: 'keep' is given twice: expected once, as at main.conf:1:7\n"
		"1:46: 'resolver' is given twice: expected once, as at main.conf:1:26" },
};

static void test_rows(void **state)
{
	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
