/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Uplinks, probes, routed prefixes and default-binding: what cannot be meant, and what the model
 * makes of the rest.
 */
#include "conf_rows.h"

#define A	"binding a { address 192.0.2.1; }\n"

static const struct row uplink_rows[] = {
	{ .what = "everything, with a link-local router", .text =
	  "uplink u { interface eth1; gateway 198.51.100.1, fe80::1; table 252; "
	  "probe icmp 198.51.100.1 every 3600s; }\n"
	  "uplink v { interface eth1; table 4294967295; } uplink a { interface ppp0; }\n"
	  "binding a { address 192.0.2.1; uplink a; }", .want = "" },
	{ .what = "no interface", .text = "uplink u { gateway 198.51.100.1; }",
	  .want = "1:8: uplink 'u' has no interface: expected 'interface NAME;'" },
	{ .what = "what does not fit", .text = "uplink u { interface eth1;\naddress 192.0.2.1;\nmetric 5; }",
	  .want = "2:1: found 'address', expected 'interface', 'gateway', 'table', 'probe' or '}'\n"
		"3:1: found 'metric', expected 'interface', 'gateway', 'table', 'probe' or '}'" },
	{ .what = "names", .text = "uplink u:1 { interface eth1; }\nuplink u { interface eth1; }\n"
	  "uplink u { interface eth2; }\nuplink \"\" { interface eth3; }",
	  .want = "1:8: uplink name 'u:1' has a colon: expected a name without spaces, colons and control "
		"characters\n"
		"3:8: uplink 'u' is defined twice: expected a name other than that at main.conf:2:8\n"
		"4:8: the name of an uplink is empty: expected 1 to 63 bytes" },
	{ .what = "tables", .text = "uplink a { interface x; table 0; }\nuplink b { interface x; table 253; }\n"
	  "uplink c { interface x; table 254; }\nuplink d { interface x; table 255; }\n"
	  "uplink e { interface x; table main; }\nuplink f { interface x; table 4294967296; }\n"
	  "uplink g { interface x; table 7; table 8; }\nuplink h { interface x; table 7; }\n"
	  "uplink i { interface x; table 7; }",
	  .want = "1:31: '0' is not a routing table: expected a number from 1 to 4294967295\n"
		"2:31: routing table 253 is the host's own (default): expected one that nobody else uses\n"
		"3:31: routing table 254 is the host's own (main): expected one that nobody else uses\n"
		"4:31: routing table 255 is the host's own (local): expected one that nobody else uses\n"
		"5:31: 'main' is not a routing table: expected a number from 1 to 4294967295\n"
		"6:31: '4294967296' is not a routing table: expected a number from 1 to 4294967295\n"
		"7:34: 'table' is given twice: expected once, as at main.conf:7:25\n"
		"8:8: uplink 'h' has routing table 7, as uplink 'g' at main.conf:7:8 has: expected a "
		"table for each\n"
		"9:8: uplink 'i' has routing table 7, as uplink 'h' at main.conf:8:8 has: expected a "
		"table for each" },
	{ .what = "gateways", .text = "uplink u { interface x; gateway 192.0.2.1, 2001:db8::1;\n"
	  "gateway 192.0.2.2; gateway 2001:db8::2, 127.0.0.1, gw.example, 192.0.2.1/24; }",
	  .want = "2:9: 'IPv4 gateway' is given twice: expected once, as at main.conf:1:33\n"
		"2:28: 'IPv6 gateway' is given twice: expected once, as at main.conf:1:44\n"
		"2:41: '127.0.0.1' is a loopback address: expected a unicast address\n"
		"2:52: 'gw.example' is not an address: expected IPv4 or IPv6, such as 192.0.2.1 or "
		"2001:db8::1\n"
		"2:64: '192.0.2.1/24' is not an address: expected one without a prefix length" },
	{ .what = "a number for each", .text = "mark-mask 7; uplink u { interface x; } uplink v { interface y; }\n"
	  A "binding b { address 192.0.2.2; } group g { member a; } binding c { address 192.0.2.3; }",
	  .want = "1:47: mark-mask 0x7 has numbers for 5 of the 6 bindings and uplinks: expected "
		"a wider mask" },
	{ .what = "unknown", .text = "uplink isp2 { interface x; }\n"
	  "binding a { address 192.0.2.1; uplink ips2; }\nbinding b { address 192.0.2.2; uplink other; "
	  "uplink isp2; }",
	  .want = "2:39: unknown uplink 'ips2': did you mean 'isp2'?\n"
		"3:39: unknown uplink 'other': expected one that is defined\n"
		"3:46: 'uplink' is given twice: expected once, as at main.conf:3:32" },
};

static const struct row probe_rows[] = {
	{ .what = "targets", .text =
	  "binding a { address 192.0.2.1; probe tcp mx.example.net:25 every 1s; }\n"
	  "binding b { address 192.0.2.2; probe tcp 203.0.113.9 every 1s; }\n"
	  "binding c { address 2001:db8::3; probe tcp 2001:db8::9:25 every 1s; }\n"
	  "binding d { address 2001:db8::4; probe tcp [2001:db8::9]:0 every 1s; }\n"
	  "binding e { address 2001:db8::5; probe tcp [203.0.113.9]:25 every 1s; }\n"
	  "binding f { address 2001:db8::6; probe icmp mx.example.net every 1s; }\n"
	  "binding g { address 2001:db8::7; probe icmp 224.0.0.1 every 1s; }\n"
	  "binding h { address 2001:db8::8; probe udp 192.0.2.9:53 every 1s; }",
	  .want = "1:42: 'mx.example.net' is not an address: expected IPv4 or IPv6, such as 192.0.2.1 or "
		"2001:db8::1\n"
		"2:42: '203.0.113.9' is not an address with a port: expected one such as "
		"198.51.100.25:25 or [2001:db8::25]:25\n"
		"3:44: '2001:db8::9:25' is not an address with a port: expected one such as "
		"198.51.100.25:25 or [2001:db8::25]:25\n"
		"4:44: '[2001:db8::9]:0' has no port from 1 to 65535 after its last colon\n"
		"5:44: '[203.0.113.9]:25' is not an address with a port: expected one such as "
		"198.51.100.25:25 or [2001:db8::25]:25\n"
		"6:45: 'mx.example.net' is not an address: expected IPv4 or IPv6, such as 192.0.2.1 or "
		"2001:db8::1\n"
		"7:45: '224.0.0.1' is a multicast address: expected a unicast address\n"
		"8:40: found 'udp', expected 'tcp' or 'icmp'" },
	{ .what = "times", .text =
	  "binding a { address 192.0.2.1; probe icmp 192.0.2.9 every 99ms; }\n"
	  "binding b { address 192.0.2.2; probe icmp 192.0.2.9 every 3601s; }\n"
	  "binding c { address 192.0.2.3; probe icmp 192.0.2.9 every 5; }\n"
	  "binding d { address 192.0.2.4; probe icmp 192.0.2.9 every ms; }\n"
	  "binding e { address 192.0.2.5; probe icmp 192.0.2.9 every 18446744073709551616s; }\n"
	  "binding f { address 192.0.2.6; probe icmp 192.0.2.9; }\n"
	  "binding g { address 192.0.2.7; probe icmp 192.0.2.9 every 100ms; }\n"
	  "binding h { address 192.0.2.8; probe icmp 192.0.2.9 every 0s; }",
	  .want = "1:59: '99ms' is not a time between probes: expected one from 100ms to 3600s\n"
		"2:59: '3601s' is not a time between probes: expected one from 100ms to 3600s\n"
		"3:59: '5' is not a time between probes: expected one from 100ms to 3600s\n"
		"4:59: 'ms' is not a time between probes: expected one from 100ms to 3600s\n"
		"5:59: '18446744073709551616s' is not a time between probes: expected one from 100ms to "
		"3600s\n"
		"6:52: found ';', expected 'every'\n"
		"8:59: '0s' is not a time between probes: expected one from 100ms to 3600s" },
	{ .what = "thresholds", .text = "binding a { address 192.0.2.1;\n"
	  "probe icmp 192.0.2.9 every 1s up 0 down 101;\nprobe icmp 192.0.2.9 every 1s up 1 up 2; }",
	  .want = "2:34: up '0' is not a number from 1 to 100\n"
		"2:41: down '101' is not a number from 1 to 100\n"
		"3:1: 'probe' is given twice: expected once, as at main.conf:2:1\n"
		"3:36: 'up' is given twice: expected once, as at main.conf:3:31" },
	{ .what = "from a family that the binding has not", .text =
	  "binding a { address 192.0.2.1; probe icmp 2001:db8::9 every 1s; }",
	  .want = "1:32: binding 'a' has no IPv6 address to probe from: expected a target of another "
		"family, or no probe" },
};

static const struct row routed_rows[] = {
	{ .what = "both families, and one address", .text =
	  "binding a { address 192.0.2.0/24 routed, 2001:db8:7::/64 routed; }\n"
	  "binding b { address 198.51.100.1 routed; }",
	  .want = "" },
	{ .what = "bits of the host", .text = "binding a { address 2001:db8:7::1/64 routed, 192.0.2.1/24 routed; }",
	  .want = "1:21: '2001:db8:7::1/64' has bits set after its prefix length: did you mean "
		"'2001:db8:7::/64'?\n"
		"1:46: '192.0.2.1/24' has bits set after its prefix length: did you mean '192.0.2.0/24'?" },
	{ .what = "no prefix", .text = "binding a { address any routed, 192.0.2.0/33 routed; }",
	  .want = "1:21: 'any' is not a prefix: expected one that is routed to this host, such as "
		"2001:db8:7::/64\n"
		"1:33: '192.0.2.0/33' is not a prefix: expected one that is routed to this host, such as "
		"2001:db8:7::/64" },
	{ .what = "what nobody can leave from", .text =
	  "binding a { address 0.0.0.0/0 routed, ff00::/16 routed, 240.0.0.0/4 routed, fe00::/7 routed; }",
	  .want = "1:21: '0.0.0.0/0' holds 0.0.0.0, which is the unspecified address: expected unicast "
		"addresses of this host\n"
		"1:39: 'ff00::/16' holds ff00::, which is a multicast address: expected unicast "
		"addresses of this host\n"
		"1:57: '240.0.0.0/4' holds 255.255.255.255, which is the broadcast address: expected "
		"unicast addresses of this host\n"
		"1:77: 'fe00::/7' holds fe80::, which is a link-local address, which means nothing beyond "
		"its link: expected unicast addresses of this host" },
	{ .what = "with an interface, before or after", .text =
	  "binding a { interface eth0; address 192.0.2.0/24 routed; }\n"
	  "binding b { address 192.0.3.1;\naddress 192.0.4.0/24 routed; interface eth0; }",
	  .want = "1:37: routed prefix in a binding with 'interface' (main.conf:1:13): expected a binding "
		"of its own, since a routed prefix is on no interface\n"
		"3:9: routed prefix in a binding with 'interface' (main.conf:3:30): expected a binding "
		"of its own, since a routed prefix is on no interface" },
	{ .what = "given twice, in every way", .text =
	  "binding a { address 192.0.2.0/24 routed; }\nbinding b { address 192.0.2.5; }\n"
	  "binding c { address 192.0.0.0/16 routed; }\nbinding d { address 192.0.2.0/24 routed; }\n"
	  "binding e { address 192.1.0.0, 2001:db8::1; }\nbinding f { address 2001:db8::/32 routed; }",
	  .want = "2:21: address 192.0.2.5 is given twice: binding 'a' has 192.0.2.0/24, which holds it, "
		"at main.conf:1:21: expected it once, as several rules may use one binding\n"
		"3:21: address 192.0.0.0/16 is given twice: binding 'a' has 192.0.2.0/24, which is in it, "
		"at main.conf:1:21: expected it once, as several rules may use one binding\n"
		"4:21: address 192.0.2.0/24 is given twice: binding 'a' has it at main.conf:1:21: expected it once, as several rules may use one binding\n"
		"6:21: address 2001:db8::/32 is given twice: binding 'e' has 2001:db8::1, which is in "
		"it, at main.conf:5:32: expected it once, as several rules may use one binding" },
};

static const struct row default_rows[] = {
	{ .what = "with an otherwise that has qualifiers", .text =
	  "default-binding normal; policy { otherwise port 25 reject; }", .want = "" },
	{ .what = "with one that has none", .text = "policy { otherwise to 0.0.0.0/0, ::/0 pass; }\n"
	  "default-binding reject;",
	  .want = "1:10: 'otherwise' says what nobody else's rule claims, and so does 'default-binding' at "
		"main.conf:2:1: expected one of them only" },
	{ .what = "words", .text = "default-binding pass;\ndefault-binding;\ndefault-binding supended;",
	  .want = "1:17: found 'pass', expected 'reject', 'normal' or 'suspended'\n"
		"2:16: found ';', expected 'reject', 'normal' or 'suspended'\n"
		"3:17: found 'supended', expected 'reject', 'normal' or 'suspended'; did you mean "
		"'suspended'?" },
	{ .what = "what it implies cannot be used", .text =
	  "default-binding suspended;\nbinding a { unusable default; }",
	  .want = "2:22: binding 'default' is not configured: expected 'binding default { address ...; }'" },
};

static void test_uplinks(void **unused)
{
	(void)unused;
	check_rows(uplink_rows, ARRAY_LEN(uplink_rows));
}

static void test_probes(void **unused)
{
	(void)unused;
	check_rows(probe_rows, ARRAY_LEN(probe_rows));
}

static void test_routed(void **unused)
{
	(void)unused;
	check_rows(routed_rows, ARRAY_LEN(routed_rows));
}

static void test_default(void **unused)
{
	(void)unused;
	check_rows(default_rows, ARRAY_LEN(default_rows));
}

static void test_implied(void **unused)
{
	static const struct {
		const char *text;
		enum default_binding want;
		size_t bindings;
		bool implied;
	} rows[] = {
		{ "", DEFAULT_UNSAID, 0, false },
		{ "default-binding normal;", DEFAULT_NORMAL, 0, false },
		{ "default-binding reject;", DEFAULT_REJECT, 0, false },
		{ "default-binding suspended;", DEFAULT_SUSPENDED, 1, true },
		{ "default-binding suspended; binding default { address 192.0.2.1; }", DEFAULT_SUSPENDED,
		  1, false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(model_drop) struct model model = { 0 }, again = { 0 };
		AUTO(diag_drop) struct diag diag = { 0 };
		char *AUTO(mem_drop) text = NULL;

		assert_int_equal(fake_read_text(rows[i].text, 0, &model, &diag), 0);
		assert_int_equal(model.default_binding, rows[i].want);
		assert_int_equal(model.bindings.n, rows[i].bindings);
		text = fake_printed(&model);
		assert_int_equal(strstr(text, "binding default {") != NULL,
				 rows[i].bindings && !rows[i].implied);
		if (rows[i].bindings)
			assert_int_equal(model.bindings.at[0].implied, rows[i].implied);
		assert_int_equal(fake_read_text(text, 0, &again, &diag), 0);
		assert_int_equal(again.default_binding, rows[i].want);
		assert_int_equal(again.bindings.n, rows[i].bindings);
	}
}

static void test_model(void **unused)
{
	static const char text[] =
		"group g { member b weight 5; member a; pick random; overflow b; limit new 9/hour; }\n"
		"binding b { address 2001:db8:7::/64 routed; uplink v; warmup { day 1 7; day 2 8; "
		"overflow a; } }\n" A "uplink u { interface x; }\n"
		"uplink v { interface y; gateway fe80::1; probe tcp [2001:db8::1]:53 every 1500ms up 9; }";
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	const struct binding *at;
	const struct probe *probe;

	(void)unused;
	assert_int_equal(fake_read_text(text, 0, &model, &diag), 0);
	at = model.bindings.at;
	assert_int_equal(at[0].group->n_members, 2);
	assert_int_equal(at[0].group->members[0].binding, 1);
	assert_int_equal(at[0].group->members[0].weight, 5);
	assert_int_equal(at[0].group->members[1].binding, 2);
	assert_int_equal(at[0].group->pick, PICK_RANDOM);
	assert_int_equal(at[0].overflow, 1);
	assert_int_equal(at[0].limits->new.n, 9);
	assert_int_equal(at[0].limits->new.per, 3600);
	assert_int_equal(at[0].limits->new.burst, 9);
	assert_int_equal(at[0].limits->connections, 0);
	assert_int_equal(at[0].uplink, NO_INDEX);
	assert_null(at[1].group);
	assert_int_equal(at[1].uplink, 1);
	assert_int_equal(at[1].warmup->n_days, 2);
	assert_int_equal(at[1].warmup->days[1], 8);
	assert_int_equal(at[1].warmup->overflow, 2);
	assert_true(model.addresses.at[0].routed);
	assert_int_equal(model.addresses.at[0].bits, 64);
	assert_int_equal(model.addresses.at[1].bits, 32);
	assert_int_equal(model.uplinks.at[1].gateways[FAMILY_IPV6].len, 16);
	assert_int_equal(model.uplinks.at[1].gateways[FAMILY_IPV4].len, 0);
	probe = model.uplinks.at[1].probe;
	assert_int_equal(probe->kind, PROBE_TCP);
	assert_int_equal(probe->port, 53);
	assert_int_equal(probe->every_ms, 1500);
	assert_int_equal(probe->down, PROBE_DOWN);
	assert_int_equal(probe->up, 9);
}

/* A binding that was removed at run time leaves a slot without a name, which nobody trips over. */
static void test_removed_slot(void **unused)
{
	static const char text[] = A "binding b { address 192.0.2.2; }";
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	struct binding more = { 0 };
	char *AUTO(mem_drop) printed = NULL;
	char name[16];

	(void)unused;
	assert_int_equal(fake_read_text(text, 0, &model, &diag), 0);
	model.bindings.at[0].name = NULL;
	assert_int_equal(model_find(&model, "a"), NO_INDEX);
	assert_int_equal(model_find(&model, "b"), 1);
	printed = fake_printed(&model);
	assert_string_equal(printed, "mark-mask 0x1fff;\n\nbinding b {\n    address 192.0.2.2;\n}\n");
	for (int i = 0; i < 100; i++) {
		sprintf(name, "more%d", i);
		more.name = arena_text(&model.arena, name, strlen(name));
		assert_int_equal(model_add_binding(&model, &more), i + 2);
	}
	assert_int_equal(model_find(&model, "a"), NO_INDEX);
	assert_int_equal(model_find(&model, "b"), 1);
	more.name = "a";
	assert_int_equal(model_add_binding(&model, &more), 102);
	assert_int_equal(model_find(&model, "a"), 102);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uplinks),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_routed),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_implied),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_removed_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
