/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values outside policy that cannot be meant: masks, names, addresses, settings.
 */
#include "conf_rows.h"

static const struct row mask_rows[] = {
	{ .what = "no number",
	  .text = "mark-mask wide;",
	  .want = "1:11: 'wide' is not a mask: expected a number such as 0x1fff" },
	{ .what = "zero",
	  .text = "mark-mask 0;",
	  .want = "1:11: mask '0' has no bits: expected 2 to 32" },
	{ .what = "holes",
	  .text = "mark-mask 0x101;",
	  .want = "1:11: mask '0x101' has holes: expected one run of bits, such as 0x1fff" },
	{ .what = "over 32 bits",
	  .text = "mark-mask 0x1ffffffff;",
	  .want = "1:11: mask '0x1ffffffff' has over 32 bits: expected at most 0xffffffff" },
	{ .what = "over 32 bits, decimal",
	  .text = "mark-mask 99999999999999999999999;",
	  .want = "1:11: mask '99999999999999999999999' has over 32 bits: expected at most "
		"0xffffffff" },
	{ .what = "one bit",
	  .text = "mark-mask 0x80000000;",
	  .want = "1:11: mask '0x80000000' has 1 bit: expected 2 to 32, since number 0 means "
		"untagged and two stand for pass and reject" },
	{ .what = "given twice",
	  .text = "mark-mask 7;\n"
		"mark-mask 7;",
	  .want = "2:1: 'mark-mask' is given twice: expected once, as at main.conf:1:1" },
	{ .what = "more bindings than numbers",
	  .text = "mark-mask 3;\n"
		"binding a { address 192.0.2.1; }\n"
		"binding b { address 192.0.2.2; }",
	  .want = "3:9: mark-mask 0x3 has numbers for 1 of the 2 bindings: expected a wider mask" },
};

static const struct row names_rows[] = {
	{ .what = "a space",
	  .text = "binding \"a b\" { address 192.0.2.1; }\n"
		"policy { otherwise use \"a b\"; }",
	  .want = "1:9: binding name 'a b' has a space: expected a name without spaces, colons and "
		"control characters" },
	{ .what = "a colon",
	  .text = "binding a:b { address 192.0.2.1; }",
	  .want = "1:9: binding name 'a:b' has a colon: expected a name without spaces, colons and "
		"control characters" },
	{ .what = "a control character",
	  .text = "binding \"a\tb\" { address 192.0.2.1; }",
	  .want = "1:9: binding name 'a?b' has a control character: expected a name without spaces, "
		"colons and control characters" },
	{ .what = "a C1 control character",
	  .text = "binding \"a\302\205b\" { address 192.0.2.1; }",
	  .want = "1:9: binding name 'a?b' has a control character: expected a name without spaces, "
		"colons and control characters" },
	{ .what = "empty",
	  .text = "binding \"\" { address 192.0.2.1; }",
	  .want = "1:9: the name of a binding is empty: expected 1 to 63 bytes" },
	{ .what = "64 bytes",
	  .text = "binding nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn { "
		"address 192.0.2.1; }",
	  .want = "1:9: binding name "
		"'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...' has 64 bytes: "
		"expected at most 63" },
	{ .what = "a duplicate",
	  .text = "binding a { address 192.0.2.1; }\n"
		"binding A { address 192.0.2.2; }\n"
		"binding a { address 192.0.2.3; }",
	  .want = "3:9: binding 'a' is defined twice: expected a name other than that at "
		"main.conf:1:9" },
};

static const struct row addresses_rows[] = {
	{ .what = "a second routed prefix of a family",
	  .text = "binding a {\n"
		  "  address 192.0.2.0/26 routed, 2001:db8:7::/64 routed;\n"
		  "  address 198.51.100.0/26 routed;\n"
		  "}\n",
	  .want = "3:11: second routed prefix of a family in one binding (the first: main.conf:2:11): "
		  "expected a binding for each, and a group of these bindings" },
	{ .what = "none",
	  .text = "binding a { address mx.example.net, 192.0.2, 192.0.2.256; }",
	  .want = "1:21: 'mx.example.net' is not an address: expected IPv4 or IPv6, such as "
		"192.0.2.1 or 2001:db8::1\n"
		"1:37: '192.0.2' is not an address: expected IPv4 or IPv6, such as 192.0.2.1 or "
		"2001:db8::1\n"
		"1:46: '192.0.2.256' is not an address: expected IPv4 or IPv6, such as 192.0.2.1 "
		"or 2001:db8::1" },
	{ .what = "a prefix",
	  .text = "binding a { address 192.0.2.0/24; }",
	  .want = "1:21: '192.0.2.0/24' is not an address: expected one without a prefix length, or "
		"'routed' after a prefix that is routed to this host" },
	{ .what = "v4-mapped",
	  .text = "binding a { address ::ffff:192.0.2.1; }",
	  .want = "1:21: '::ffff:192.0.2.1' is an IPv4 address in IPv6 form: expected it as IPv4" },
	{ .what = "multicast",
	  .text = "binding a { address 224.0.0.1, ff02::1; }",
	  .want = "1:21: '224.0.0.1' is a multicast address: expected a unicast address of this "
		"host\n"
		"1:32: 'ff02::1' is a multicast address: expected a unicast address of this host" },
	{ .what = "loopback",
	  .text = "binding a { address 127.0.0.1, ::1; }",
	  .want = "1:21: '127.0.0.1' is a loopback address: expected a unicast address of this "
		"host\n"
		"1:32: '::1' is a loopback address: expected a unicast address of this host" },
	{ .what = "unspecified",
	  .text = "binding a { address 0.0.0.0, ::; }",
	  .want = "1:21: '0.0.0.0' is the unspecified address: expected a unicast address of this "
		"host\n"
		"1:30: '::' is the unspecified address: expected a unicast address of this host" },
	{ .what = "broadcast",
	  .text = "binding a { address 255.255.255.255; }",
	  .want = "1:21: '255.255.255.255' is the broadcast address: expected a unicast address of "
		"this host" },
	{ .what = "link-local",
	  .text = "binding a { address fe80::1; }",
	  .want = "1:21: 'fe80::1' is a link-local address, which means nothing beyond its link: "
		"expected a unicast address of this host" },
	{ .what = "in two bindings",
	  .text = "binding a { address 2001:db8::1; }\n"
		"binding b { address 2001:db8:0::1; }",
	  .want = "2:21: address 2001:db8::1 is given twice: binding 'a' has it at main.conf:1:21: expected it once, as several rules may use one binding" },
	{ .what = "twice in one",
	  .text = "binding a {\n"
		"  address 192.0.2.1;\n"
		"  address 192.0.2.1, 192.0.2.1;\n"
		"}",
	  .want = "3:11: address 192.0.2.1 is given twice: binding 'a' has it at main.conf:2:11: expected it once, as several rules may use one binding\n"
		"3:22: address 192.0.2.1 is given twice: binding 'a' has it at main.conf:2:11: expected it once, as several rules may use one binding" },
	{ .what = "65 of a family",
	  .text = "binding a { address 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5, "
		"192.0.2.6, 192.0.2.7, 192.0.2.8, 192.0.2.9, 192.0.2.10, 192.0.2.11, 192.0.2.12, "
		"192.0.2.13, 192.0.2.14, 192.0.2.15, 192.0.2.16, 192.0.2.17, 192.0.2.18, "
		"192.0.2.19, 192.0.2.20, 192.0.2.21, 192.0.2.22, 192.0.2.23, 192.0.2.24, "
		"192.0.2.25, 192.0.2.26, 192.0.2.27, 192.0.2.28, 192.0.2.29, 192.0.2.30, "
		"192.0.2.31, 192.0.2.32, 192.0.2.33, 192.0.2.34, 192.0.2.35, 192.0.2.36, "
		"192.0.2.37, 192.0.2.38, 192.0.2.39, 192.0.2.40, 192.0.2.41, 192.0.2.42, "
		"192.0.2.43, 192.0.2.44, 192.0.2.45, 192.0.2.46, 192.0.2.47, 192.0.2.48, "
		"192.0.2.49, 192.0.2.50, 192.0.2.51, 192.0.2.52, 192.0.2.53, 192.0.2.54, "
		"192.0.2.55, 192.0.2.56, 192.0.2.57, 192.0.2.58, 192.0.2.59, 192.0.2.60, "
		"192.0.2.61, 192.0.2.62, 192.0.2.63, 192.0.2.64, 192.0.2.65; }",
	  .want = "1:780: binding 'a' has more than 64 IPv4 addresses: expected at most 64" },
};

static const struct row settings_rows[] = {
	{ .what = "an EHLO name with an underscore",
	  .text = "binding a { address 192.0.2.1; ehlo mx_1.example; }",
	  .want = "1:37: 'mx_1.example' is not an EHLO name: expected a host name such as "
		"mx.example.net, or an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]" },
	{ .what = "EHLO names",
	  .text = "binding a { address 192.0.2.1; ehlo -a.example; }\n"
		"binding b { address 192.0.2.2; ehlo [IPv6:192.0.2.1]; }\n"
		"binding c { address 192.0.2.3; ehlo a..b; }",
	  .want = "1:37: '-a.example' is not an EHLO name: expected a host name such as "
		"mx.example.net, or an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]\n"
		"2:37: '[IPv6:192.0.2.1]' is not an EHLO name: expected a host name such as "
		"mx.example.net, or an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]\n"
		"3:37: 'a..b' is not an EHLO name: expected a host name such as mx.example.net, "
		"or an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]" },
	{ .what = "interface names",
	  .text = "binding a { address 192.0.2.1; interface sixteen-bytes-xx; }\n"
		"binding b { address 192.0.2.2; interface a/b; }\n"
		"binding c { address 192.0.2.3; interface \"\"; }",
	  .want = "1:42: 'sixteen-bytes-xx' is not the name of an interface: expected 1 to 15 bytes "
		"without '/', ':' and spaces\n"
		"2:42: 'a/b' is not the name of an interface: expected 1 to 15 bytes without '/', "
		"':' and spaces\n"
		"3:42: '' is not the name of an interface: expected 1 to 15 bytes without '/', "
		"':' and spaces" },
	{ .what = "keys given twice",
	  .text = "binding a {\n"
		"  address 192.0.2.1;\n"
		"  ehlo a.example; ehlo a.example;\n"
		"  interface eth0;\n"
		"  interface eth1;\n"
		"  unusable reject;\n"
		"  unusable reject;\n"
		"}",
	  .want = "3:19: 'ehlo' is given twice: expected once, as at main.conf:3:3\n"
		"5:3: 'interface' is given twice: expected once, as at main.conf:4:3\n"
		"7:3: 'unusable' is given twice: expected once, as at main.conf:6:3" },
	{ .what = "allow: unknown names",
	  .text = "binding a { address 192.0.2.1; allow user nobody-here, www-data; allow group "
		"nogroup-here; allow cgroup x; }",
	  .want = "1:43: unknown user 'nobody-here': expected one that exists here, or a number\n"
		"1:78: unknown group 'nogroup-here': expected one that exists here, or a number\n"
		"1:105: cgroup path 'x' is not absolute: expected a path below the cgroup root, "
		"of at most 8 levels, such as \"/tenants.slice/beta.slice\"" },
	{ .what = "bypass: no prefix",
	  .text = "bypass { conected; 10.0.0.1/8; any; 10.0.0.0/33; ::ffff:10.0.0.0/104; }",
	  .want = "1:10: 'conected' is not a prefix: did you mean 'connected'?\n"
		"1:20: '10.0.0.1/8' has bits set after its prefix length: did you mean "
		"'10.0.0.0/8'?\n"
		"1:32: 'any' is not a prefix: expected a prefix such as 10.0.0.0/8, 'connected' "
		"or 'private'\n"
		"1:37: '10.0.0.0/33' is not a prefix: expected a prefix such as 10.0.0.0/8, "
		"'connected' or 'private'\n"
		"1:50: '::ffff:10.0.0.0/104' is an IPv4 prefix in IPv6 form: expected it as IPv4" },
	{ .what = "unusable: unknown",
	  .text = "binding a { address 192.0.2.1; }\n"
		"binding b { address 192.0.2.2; unusable use bb; }\n"
		"binding acme { address 192.0.2.3; unusable use acne; }",
	  .want = "2:45: unknown binding 'bb': expected one that is defined\n"
		"3:48: unknown binding 'acne': did you mean 'acme'?" },
	{ .what = "unusable: itself",
	  .text = "binding a { address 192.0.2.1; unusable use a; }",
	  .want = "1:32: binding 'a' would use itself when it is unusable: expected another binding" },
	{ .what = "unusable: a loop, said once",
	  .text = "binding x { address 192.0.2.4; unusable use b; }\n"
		"binding a { address 192.0.2.1; unusable use c; }\n"
		"binding b { address 192.0.2.2; unusable use a; }\n"
		"binding c { address 192.0.2.3; unusable use b; }",
	  .want = "2:32: loop of 'unusable use': 'a' -> 'c' -> 'b' -> 'a'" },
	{ .what = "unusable: default that is not there",
	  .text = "binding a { address 192.0.2.1; unusable default; }",
	  .want = "1:41: binding 'default' is not configured: expected 'binding default { address "
		"...; }'" },
	{ .what = "unusable: default of itself",
	  .text = "binding default { address 192.0.2.1; unusable default; }",
	  .want = "1:38: binding 'default' would use itself when it is unusable: expected another "
		"binding" },
	{ .what = "a binding without address",
	  .text = "binding a { ehlo a.example; }\n"
		"binding b { unusable use a; }\n"
		"binding default { }",
	  .want = "1:9: warning: binding 'a' has no address: what is assigned to it will be refused" },
};

static void test_mask(void **unused)
{
	(void)unused;
	check_rows(mask_rows, ARRAY_LEN(mask_rows));
}

static void test_names(void **unused)
{
	(void)unused;
	check_rows(names_rows, ARRAY_LEN(names_rows));
}

static void test_addresses(void **unused)
{
	(void)unused;
	check_rows(addresses_rows, ARRAY_LEN(addresses_rows));
}

static void test_settings(void **unused)
{
	(void)unused;
	check_rows(settings_rows, ARRAY_LEN(settings_rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
