/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that the grammar does not have, or that is no text: one message for each cause, at its place,
 * and none for what follows from it.
 */
#include "conf_rows.h"

static const struct row syntax_rows[] = {
	{ .what = "a statement that is none",
	  .text = "bindng acme { address 192.0.2.1; }\n"
		"mark-mask 7;",
	  .want = "1:1: found 'bindng', "
		  "expected 'mark-mask', 'flow-log', 'port-warning', 'include', 'bypass', "
		"'binding', 'policy', 'default-binding', 'uplink', 'group', 'relay', 'metrics' or 'dns'; did you mean 'binding'?" },
	{ .what = "an unknown key with a near one",
	  .text = "binding a {\n"
		"\tadress 192.0.2.1;\n"
		"\tehlo x;\n"
		"}",
	  .want = "2:2: found 'adress', expected 'address', 'ehlo', 'interface', 'uplink', 'unusable', 'limit', 'overflow', 'warmup', 'probe', "
		"'allow', 'sender-domain', 'require' or '}'; did you mean 'address'?" },
	{ .what = "an unknown key with none near",
	  .text = "binding a { colour red; address 127.0.0.1; }",
	  .want = "1:13: found 'colour', expected 'address', 'ehlo', 'interface', 'uplink', 'unusable', 'limit', 'overflow', 'warmup', 'probe', 'allow', 'sender-domain', 'require' or '}'\n"
		"1:33: '127.0.0.1' is a loopback address: expected a unicast address of this host" },
	{ .what = "a key without a value",
	  .text = "binding a { address ; ehlo; interface; unusable; allow; }",
	  .want = "1:21: found ';', expected an IPv4 or IPv6 address\n"
		"1:27: found ';', expected a host name such as mx.example.net\n"
		"1:38: found ';', expected the name of a network interface\n"
		"1:48: found ';', expected 'use', 'reject' or 'default'\n"
		"1:55: found ';', expected 'cgroup', 'user' or 'group'" },
	{ .what = "a rate in words",
	  .text = "binding a { address 192.0.2.1; limit new 10 per second; }",
	  .want = "1:49: found 'second', expected 'destination'; a rate is one word: 10/second" },
	{ .what = "a mask without a value",
	  .text = "mark-mask ;\n"
		"mark-mask 5;",
	  .want = "1:11: found ';', expected a number such as 0x1fff\n"
		"2:11: mask '5' has holes: expected one run of bits, such as 0x1fff" },
	{ .what = "a binding without a name",
	  .text = "binding { address 192.0.2.1; }",
	  .want = "1:9: found '{', expected the name of a binding" },
	{ .what = "a forgotten semicolon before a key",
	  .text = "binding a {\n"
		"  address 192.0.2.1\n"
		"  ehlo mx..example;\n"
		"}",
	  .want = "3:3: found 'ehlo', expected 'routed', ',' or ';'\n"
		"3:8: 'mx..example' is not an EHLO name: expected a host name such as "
		"mx.example.net, or an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]" },
	{ .what = "a forgotten semicolon before a section",
	  .text = "mark-mask 0x1fff\n"
		"binding a { address 192.0.2.1; }\n"
		"policy { otherwise use a; }",
	  .want = "2:1: found 'binding', expected ';'" },
	{ .what = "a forgotten comma",
	  .text = "binding a { address 192.0.2.1 192.0.2.2; ehlo -; }",
	  .want = "1:31: found '192.0.2.2', expected 'routed', ',' or ';'\n"
		"1:47: '-' is not an EHLO name: expected a host name such as mx.example.net, or "
		"an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]" },
	{ .what = "a forgotten closing brace",
	  .text = "binding a {\n"
		"  address 192.0.2.1;\n"
		"binding b { address 192.0.2.2; }\n"
		"policy { otherwise use b; user 1 use a; }",
	  .want = "3:1: found 'binding', expected 'address', 'ehlo', 'interface', 'uplink', 'unusable', 'limit', 'overflow', 'warmup', 'probe', "
		"'allow', 'sender-domain', 'require' or '}' to close the '{' at main.conf:1:11" },
	{ .what = "a forgotten closing brace before dns",
	  .text = "policy {\n"
		"dns { }\n"
		"mark-mask 5;",
	  .want = "2:1: found 'dns', expected 'unit', 'cgroup', 'user', 'group', 'source', 'otherwise' or '}' to close the '{' at main.conf:1:8\n"
		"3:11: mask '5' has holes: expected one run of bits, such as 0x1fff" },
	{ .what = "a forgotten closing brace before flow-log",
	  .text = "policy {\n"
		"flow-log /x;\n"
		"mark-mask 5;",
	  .want = "2:1: found 'flow-log', expected 'unit', 'cgroup', 'user', 'group', 'source', 'otherwise' or '}' to close the '{' at main.conf:1:8\n"
		"3:11: mask '5' has holes: expected one run of bits, such as 0x1fff" },
	{ .what = "a forgotten closing brace before port-warning",
	  .text = "policy {\n"
		"port-warning 80%;\n"
		"mark-mask 5;",
	  .want = "2:1: found 'port-warning', expected 'unit', 'cgroup', 'user', 'group', 'source', 'otherwise' or '}' to close the '{' at main.conf:1:8\n"
		"3:11: mask '5' has holes: expected one run of bits, such as 0x1fff" },
	{ .what = "an unclosed brace",
	  .text = "policy {\n"
		"  otherwise pass;\n",
	  .want = "1:8: '{' is never closed: expected '}' before the end of the file" },
	{ .what = "an unclosed brace of something unknown",
	  .text = "foo {\n"
		"  bar { x; }\n",
	  .want = "1:1: found 'foo', expected 'mark-mask', 'flow-log', 'port-warning', 'include', 'bypass', 'binding', 'policy', 'default-binding', 'uplink', 'group', 'relay', 'metrics' or 'dns'\n"
		"1:5: '{' is never closed: expected '}' before the end of the file" },
	{ .what = "a brace too many",
	  .text = "policy { otherwise pass; } }\n"
		"mark-mask 5;",
	  .want = "1:28: found '}', which closes nothing, "
		"expected 'mark-mask', 'flow-log', 'port-warning', 'include', 'bypass', 'binding', 'policy', 'default-binding', 'uplink', 'group', 'relay', 'metrics' or 'dns'\n"
		"2:11: mask '5' has holes: expected one run of bits, such as 0x1fff" },
	{ .what = "a block inside a statement is passed over",
	  .text = "binding a b { address 192.0.2.1; { foo; } }\n"
		"mark-mask 5;",
	  .want = "1:11: found 'b', expected '{'\n"
		"2:11: mask '5' has holes: expected one run of bits, such as 0x1fff" },
	{ .what = "the end of the file inside a statement",
	  .text = "mark-mask 0x1fff",
	  .want = "1:17: found the end of the file, expected ';'" },
	{ .what = "an unterminated string",
	  .text = "policy {\n"
		"  unit \"a.service use x;\n"
		"  user nobody-here pass;\n"
		"}",
	  .want = "2:8: string is never closed: expected '\"' before the end of the line\n"
		"3:8: unknown user 'nobody-here': expected one that exists here, or a number" },
	{ .what = "an unknown escape",
	  .text = "policy { cgroup \"/a\\x41\" pass; }",
	  .want = "1:20: unknown escape in a string: expected '\\\"' or '\\\\'" },
	{ .what = "a control character",
	  .text = "mark-mask \001 0x1fff;",
	  .want = "1:11: control character 0x01: expected text" },
	{ .what = "a key in a string",
	  .text = "binding a { \"address\" 192.0.2.1; }",
	  .want = "1:13: found a string, expected 'address', 'ehlo', 'interface', 'uplink', 'unusable', 'limit', 'overflow', 'warmup', 'probe', 'allow', 'sender-domain', 'require' or '}'" },
	{ .what = "a bad value of unusable",
	  .text = "binding a { address 192.0.2.1; unusable defalt; }",
	  .want = "1:41: found 'defalt', expected 'use', 'reject' or 'default'; did you mean "
		"'default'?" },
	{ .what = "an unknown client",
	  .text = "policy { usr www-data pass; process 1 pass; }",
	  .want = "1:10: found 'usr', expected 'unit', 'cgroup', 'user', 'group', 'source', "
		"'otherwise' or '}'; did you mean 'user'?\n"
		"1:29: found 'process', expected 'unit', 'cgroup', 'user', 'group', 'source', "
		"'otherwise' or '}'" },
	{ .what = "a mark as client",
	  .text = "policy { mark 5 use a; }",
	  .want = "1:10: a marked socket needs no rule: a socket that carries the binding's own "
		"mark, shown by 'outbindctl binding show', uses it; expected 'unit', 'cgroup', "
		"'user', 'group', 'source', 'otherwise' or '}'" },
	{ .what = "an unknown qualifier",
	  .text = "policy { user 1 prot 25 pass; }",
	  .want = "1:17: found 'prot', expected 'to', 'port', 'protocol', 'use', 'pass' or "
		"'reject'; did you mean 'port'?" },
	{ .what = "a rule without action",
	  .text = "policy { user 1; otherwise; }",
	  .want = "1:16: found ';', expected 'to', 'port', 'protocol', 'use', 'pass' or 'reject'\n"
		"1:27: found ';', expected 'to', 'port', 'protocol', 'use', 'pass' or 'reject'" },
	{ .what = "two actions",
	  .text = "policy { user 1 pass reject; }",
	  .want = "1:22: found 'reject', expected ';'" },
	{ .what = "an unused name is not blamed on the next rule",
	  .text = "policy { user 1 use nobody x; user 2 pass; }",
	  .want = "1:21: unknown binding 'nobody': expected one that is defined\n"
		"1:28: found 'x', expected ';'" },
	{ .what = "every problem of several lines",
	  .text = "mark-mask 0;\n"
		"binding : { foo; }\n"
		"policy { unit x pass; }",
	  .want = "1:11: mask '0' has no bits: expected 2 to 32\n"
		"2:9: binding name ':' has a colon: expected a name without spaces, colons and "
		"control characters\n"
		"2:13: found 'foo', expected 'address', 'ehlo', 'interface', 'uplink', 'unusable', 'limit', 'overflow', 'warmup', 'probe', 'allow', 'sender-domain', 'require' or '}'\n"
		"3:15: unit name 'x' has no suffix: did you mean 'x.service'?" },
};

static const struct row bytes_rows[] = {
	{ .what = "invalid UTF-8",
	  .text = "mark-mask 7;\n"
		"binding \377\376 { }\n"
		"# \303\251 \355\240\200",
	  .want = "2:9: found byte 0xff, which is not UTF-8, expected UTF-8 text\n"
		"3:6: found byte 0xed, which is not UTF-8, expected UTF-8 text" },
	{ .what = "a NUL byte",
	  .text = "mark-mask 7;\n"
		"mark\000mask",
	  .want = "2:5: found a NUL byte, expected text", .len = 22 },
};

static void test_syntax(void **unused)
{
	(void)unused;
	check_rows(syntax_rows, ARRAY_LEN(syntax_rows));
}

static void test_bytes(void **unused)
{
	(void)unused;
	check_rows(bytes_rows, ARRAY_LEN(bytes_rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
