/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules that cannot be meant, alone or beside each other.
 */
#include "conf_rows.h"

static const struct row rules_rows[] = {
	{ .what = "an unknown binding",
	  .text = "binding acme { address 192.0.2.1; }\n"
		"policy {\n"
		"  user 1 use amce;\n"
		"  user 2 use Acme;\n"
		"  user 3 use something;\n"
		"  user nobody-here use foo;\n"
		"}",
	  .want = "3:14: unknown binding 'amce': did you mean 'acme'?\n"
		"4:14: unknown binding 'Acme': did you mean 'acme'?\n"
		"5:14: unknown binding 'something': expected one that is defined\n"
		"6:8: unknown user 'nobody-here': expected one that exists here, or a number\n"
		"6:24: unknown binding 'foo': expected one that is defined" },
	{ .what = "default that is not configured",
	  .text = "policy { otherwise use default; }",
	  .want = "1:24: binding 'default' is not configured: expected 'binding default { address "
		"...; }'" },
	{ .what = "default without address",
	  .text = "policy {\n"
		"  otherwise use default;\n"
		"}\n"
		"binding default { ehlo a.example; }",
	  .want = "2:3: binding 'default' has no address: expected one at main.conf:4:9 before a "
		"rule can use it" },
	{ .what = "the same client and destination",
	  .text = "policy {\n"
		"  unit a.service pass;\n"
		"  user www-data port 25 pass;\n"
		"  user 33 port 25 protocol tcp,udp,sctp,dccp,udplite reject;\n"
		"  unit a.service reject;\n"
		"  otherwise to 10.0.0.0/9, 10.128.0.0/9 pass;\n"
		"  otherwise to 10.0.0.0/8, 10.1.0.0/16 pass;\n"
		"  group 33 port 25 pass;\n"
		"}",
	  .want = "4:3: this rule has the same client and the same destination as the rule at "
		"main.conf:3:3: expected one of them only\n"
		"5:3: this rule has the same client and the same destination as the rule at "
		"main.conf:2:3: expected one of them only\n"
		"7:3: this rule has the same client and the same destination as the rule at "
		"main.conf:6:3: expected one of them only" },
	{ .what = "the same client and other destinations",
	  .text = "policy {\n"
		"  user 1 port 25 pass;\n"
		"  user 1 port 25 protocol tcp pass;\n"
		"  user 1 port 1-30 pass;\n"
		"  user 1 pass;\n"
		"  group 1 pass;\n"
		"}",
	  .want = "" },
	{ .what = "ranges that cut each other",
	  .text = "policy {\n"
		"  user 10-20 pass;\n"
		"  user 15-25 port 25 pass;\n"
		"  group 15-25 pass;\n"
		"  user 12-14 pass;\n"
		"  user 20-30 pass;\n"
		"}",
	  .want = "3:3: range 15-25 overlaps range 10-20 of the rule at main.conf:2:3: expected "
		"ranges of which one holds the other, or that have nothing in common\n"
		"6:3: range 20-30 overlaps range 10-20 of the rule at main.conf:2:3: expected "
		"ranges of which one holds the other, or that have nothing in common" },
	{ .what = "unit names",
	  .text = "policy {\n"
		"  unit nginx pass;\n"
		"  unit \"a b.service\" pass;\n"
		"  unit /a.slice pass;\n"
		"  unit a.target pass;\n"
		"  unit .service pass;\n"
		"  unit a@.service pass;\n"
		"  unit "
		"uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
		"uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
		"uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
		"uuuuu.service pass;\n"
		"  unit \"\" pass;\n"
		"}",
	  .want = "2:8: unit name 'nginx' has no suffix: did you mean 'nginx.service'?\n"
		"3:8: 'a b.service' is not a unit name: expected letters, digits and ':_.\\@-' "
		"only\n"
		"4:8: '/a.slice' is not a unit name: expected letters, digits and ':_.\\@-' only; "
		"for a path write 'cgroup' in place of 'unit'\n"
		"5:8: 'a.target' is not a unit that has a cgroup: expected a name that ends in "
		".service, .scope, .slice, .socket, .mount or .swap\n"
		"6:8: '.service' is not a unit that has a cgroup: expected a name that ends in "
		".service, .scope, .slice, .socket, .mount or .swap\n"
		"7:8: 'a@.service' is a template, which never runs: expected an instance such as "
		"'a@NAME.service', or the slice of its instances\n"
		"8:8: unit name 'uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu...' "
		"has 256 bytes: expected at most 255\n"
		"9:8: '' is not a unit that has a cgroup: expected a name that ends in .service, "
		".scope, .slice, .socket, .mount or .swap" },
	{ .what = "cgroup paths",
	  .text = "policy {\n"
		"  cgroup a pass;\n"
		"  cgroup /a/../b pass;\n"
		"  cgroup /a/./b pass;\n"
		"  cgroup /a//b pass;\n"
		"  cgroup /a/ pass;\n"
		"  cgroup / pass;\n"
		"  cgroup /1/2/3/4/5/6/7/8/9 pass;\n"
		"  cgroup \"\" pass;\n"
		"}",
	  .want = "2:10: cgroup path 'a' is not absolute: expected a path below the cgroup root, of "
		"at most 8 levels, such as \"/tenants.slice/beta.slice\"\n"
		"3:10: cgroup path '/a/../b' has a component '..': expected a path below the "
		"cgroup root, of at most 8 levels, such as \"/tenants.slice/beta.slice\"\n"
		"4:10: cgroup path '/a/./b' has a component '.': expected a path below the cgroup "
		"root, of at most 8 levels, such as \"/tenants.slice/beta.slice\"\n"
		"5:10: cgroup path '/a//b' has an empty component: expected a path below the "
		"cgroup root, of at most 8 levels, such as \"/tenants.slice/beta.slice\"\n"
		"6:10: cgroup path '/a/' has an empty component: expected a path below the cgroup "
		"root, of at most 8 levels, such as \"/tenants.slice/beta.slice\"\n"
		"7:10: cgroup path '/' is the root, which holds every process: expected a path "
		"below the cgroup root, of at most 8 levels, such as "
		"\"/tenants.slice/beta.slice\"\n"
		"8:10: cgroup path '/1/2/3/4/5/6/7/8/9' is over 8 levels deep: expected a path "
		"below the cgroup root, of at most 8 levels, such as "
		"\"/tenants.slice/beta.slice\"\n"
		"9:10: cgroup path '' is not absolute: expected a path below the cgroup root, of "
		"at most 8 levels, such as \"/tenants.slice/beta.slice\"" },
	{ .what = "prefixes",
	  .text = "policy {\n"
		"  source 10.88.7.1/24 pass;\n"
		"  source 10.88.7.0/33 pass;\n"
		"  otherwise to ::ffff:1.2.3.4, x, 2001:db8::1/32 pass;\n"
		"}",
	  .want = "2:10: '10.88.7.1/24' has bits set after its prefix length: did you mean "
		"'10.88.7.0/24'?\n"
		"3:10: '10.88.7.0/33' is not a prefix: expected one such as 10.88.7.0/24\n"
		"4:16: '::ffff:1.2.3.4' is an IPv4 prefix in IPv6 form: expected it as IPv4\n"
		"4:32: 'x' is not a prefix: expected one such as 192.0.2.0/24\n"
		"4:35: '2001:db8::1/32' has bits set after its prefix length: did you mean "
		"'2001:db8::/32'?" },
	{ .what = "ports",
	  .text = "policy {\n"
		"  otherwise port 0 pass;\n"
		"  otherwise port 65536 pass;\n"
		"  otherwise port 30-20 pass;\n"
		"  otherwise port smtp pass;\n"
		"  otherwise port 0-5 pass;\n"
		"  otherwise port 5-0 pass;\n"
		"  otherwise port 1- pass;\n"
		"}",
	  .want = "2:18: port '0' is out of range: expected 1 to 65535\n"
		"3:18: port '65536' is out of range: expected 1 to 65535\n"
		"4:18: port range '30-20' is reversed: did you mean '20-30'?\n"
		"5:18: 'smtp' is not a port: expected a number from 1 to 65535, or a range such "
		"as 8000-8999\n"
		"6:18: port '0-5' is out of range: expected 1 to 65535\n"
		"7:18: port '5-0' is out of range: expected 1 to 65535\n"
		"8:18: '1-' is not a port: expected a number from 1 to 65535, or a range such as "
		"8000-8999" },
	{ .what = "protocols",
	  .text = "policy {\n"
		"  otherwise protocol tcpp pass;\n"
		"  otherwise protocol 256 pass;\n"
		"  otherwise port 25 protocol tcp, icmp pass;\n"
		"}",
	  .want = "2:22: 'tcpp' is not a protocol: expected a name such as tcp, udp or icmp, or a "
		"number from 0 to 255; did you mean 'tcp'?\n"
		"3:22: '256' is not a protocol: expected a name such as tcp, udp or icmp, or a "
		"number from 0 to 255\n"
		"4:13: 'port' with protocol 1 (icmp), which has no ports: expected protocols of "
		"tcp, udp, sctp, dccp and udplite only" },
	{ .what = "qualifiers given twice",
	  .text = "policy { otherwise to 10.0.0.0/8 port 25 to 10.0.0.0/8 pass; }",
	  .want = "1:42: 'to' is given twice: expected once, as at main.conf:1:20" },
	{ .what = "users and groups",
	  .text = "policy {\n"
		"  user nobody-here pass;\n"
		"  group nogroup-here pass;\n"
		"  user broken-database pass;\n"
		"  user 4294967295 pass;\n"
		"  group 0-4294967295 pass;\n"
		"  user 20-10 pass;\n"
		"  user \"\" pass;\n"
		"}",
	  .want = "2:8: unknown user 'nobody-here': expected one that exists here, or a number\n"
		"3:9: unknown group 'nogroup-here': expected one that exists here, or a number\n"
		"4:8: user 'broken-database' cannot be looked up: Input/output error\n"
		"5:8: user '4294967295' is out of range: expected at most 4294967294\n"
		"6:9: group '0-4294967295' is out of range: expected at most 4294967294\n"
		"7:8: range '20-10' is reversed: did you mean '10-20'?\n"
		"8:8: unknown user '': expected one that exists here, or a number" },
};

static void test_rules(void **unused)
{
	(void)unused;
	check_rows(rules_rows, ARRAY_LEN(rules_rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
