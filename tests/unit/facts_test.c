/* SPDX-License-Identifier: GPL-2.0-or-later */
/* facts_read() against the real kernel, in a network namespace of its own. Needs root. */
#include "base/mem.h"
#include "kernel/facts.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool have_namespace;

static int enter_namespace(void **state)
{
	(void)state;
	have_namespace = unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0;
	if (!have_namespace)
		print_message(
			"no network namespace (root needed) or no ip(8): tests are skipped\n");
	return 0;
}

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s: failed", command);
}

static const struct local_address *find_address(const struct facts *facts, const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	for (size_t i = 0; i < facts->addresses.n; i++)
		if (ip_equal(&facts->addresses.at[i].ip, &ip))
			return &facts->addresses.at[i];
	return NULL;
}

/* All prefixes but those of loopback, in order, separated by spaces. */
static void print_all(const struct prefix *at, size_t n, char *out, size_t room)
{
	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		char text[PREFIX_TEXT];
		size_t len = strlen(out);

		if (at[i].ip.len == 4 && at[i].ip.octet[0] == 127)
			continue;
		snprintf(out + len, room - len, "%s%s", len ? " " : "", prefix_print(&at[i], text));
	}
}

static void print_connected(const struct facts *facts, char *out, size_t room)
{
	struct prefix *AUTO(mem_drop) prefixes = mem_zero(facts->connected.n, sizeof *prefixes);

	for (size_t i = 0; i < facts->connected.n; i++)
		prefixes[i] = facts->connected.at[i].prefix;
	print_all(prefixes, facts->connected.n, out, room);
}

static void test_addresses(void **state)
{
	AUTO(facts_drop) struct facts facts = { 0 };
	const struct local_address *found;

	(void)state;
	if (!have_namespace)
		skip();
	run("ip link add pair0 type veth peer name pair1 && ip link set pair0 up && ip link set pair1 up");
	run("ip addr add 192.0.2.10/24 dev pair0 && ip addr add 192.0.2.9/32 dev pair1");
	run("ip addr add 198.51.100.1 peer 198.51.100.2 dev pair1");
	run("ip addr add 2001:db8::1/64 nodad dev pair0 && ip addr add 2001:db8::2/64 dev pair0");
	assert_int_equal(facts_read(&facts), 0);

	found = find_address(&facts, "192.0.2.10");
	assert_non_null(found);
	assert_string_equal(found->interface, "pair0");
	found = find_address(&facts, "192.0.2.9");
	assert_non_null(found);
	assert_string_equal(found->interface, "pair1");
	assert_non_null(find_address(&facts, "198.51.100.1"));
	assert_null(find_address(&facts, "198.51.100.2"));
	found = find_address(&facts, "2001:db8::1");
	assert_non_null(found);
	assert_false(found->tentative);
	found = find_address(&facts, "2001:db8::2");
	assert_non_null(found);
	assert_true(found->tentative);
	assert_false(found->duplicate);
	for (size_t i = 1; i < facts.addresses.n; i++)
		assert_true(ip_compare(&facts.addresses.at[i - 1].ip, &facts.addresses.at[i].ip) <=
			    0);
	run("ip link del pair0");
}

static void test_duplicate(void **state)
{
	AUTO(facts_drop) struct facts facts = { 0 };
	const struct local_address *found = NULL;

	(void)state;
	if (!have_namespace)
		skip();
	run("ip link add pair0 type veth peer name pair1 && ip link set pair0 up && ip link set pair1 up");
	run("ip addr add 2001:db8::3/64 nodad dev pair0 && ip addr add 2001:db8::3/64 dev pair1");
	for (int i = 0; i < 50; i++) {
		usleep(100 * 1000);
		assert_int_equal(facts_read(&facts), 0);
		for (size_t k = 0; k < facts.addresses.n; k++)
			if (facts.addresses.at[k].duplicate)
				found = &facts.addresses.at[k];
		if (found)
			break;
	}
	assert_non_null(found);
	assert_string_equal(found->interface, "pair1");
	run("ip link del pair0");
}

static void test_routes(void **state)
{
	static const struct {
		const char *what, *command, *local, *connected;
	} rows[] = {
		{ "nothing but loopback", "true", "", "" },
		{ "an interface's own address is not AnyIP, its network is connected",
		  "ip addr add 192.0.2.1/24 dev pair0", "", "192.0.2.0/24" },
		{ "an AnyIP network", "ip route add local 198.51.100.0/26 dev lo",
		  "198.51.100.0/26", "192.0.2.0/24" },
		{ "a single AnyIP address", "ip route add local 203.0.113.7 dev lo",
		  "198.51.100.0/26 203.0.113.7", "192.0.2.0/24" },
		{ "a route by a gateway is not connected",
		  "ip route add 203.0.113.0/24 via 192.0.2.2", "198.51.100.0/26 203.0.113.7",
		  "192.0.2.0/24" },
		{ "a static on-link route is connected, a host route is not",
		  "ip route add 10.9.0.0/16 dev pair0 && ip route add 10.8.0.1 dev pair0",
		  "198.51.100.0/26 203.0.113.7", "10.9.0.0/16 192.0.2.0/24" },
		{ "a default route without gateway is not connected, whole or in halves",
		  "ip route add default dev pair0 && ip route add 0.0.0.0/1 dev pair0 && "
		  "ip route add 128.0.0.0/1 dev pair0",
		  "198.51.100.0/26 203.0.113.7", "10.9.0.0/16 192.0.2.0/24" },
		{ "another table is not looked at", "ip route add 10.7.0.0/16 dev pair0 table 77",
		  "198.51.100.0/26 203.0.113.7", "10.9.0.0/16 192.0.2.0/24" },
		{ "the same prefix by another metric counts once",
		  "ip route add 10.9.0.0/16 dev pair0 metric 9", "198.51.100.0/26 203.0.113.7",
		  "10.9.0.0/16 192.0.2.0/24" },
		{ "IPv6: a network, AnyIP, no link-local, no static route",
		  "ip addr add 2001:db8:1::1/64 nodad dev pair0 && "
		  "ip -6 route add local 2001:db8:2::/64 dev lo && "
		  "ip -6 route add 2001:db8:3::/64 dev pair0",
		  "198.51.100.0/26 203.0.113.7 2001:db8:2::/64",
		  "10.9.0.0/16 192.0.2.0/24 2001:db8:1::/64" },
		{ "IPv6: a prefix by a router's word",
		  "ip -6 route add 2001:db8:4::/64 dev pair0 proto ra",
		  "198.51.100.0/26 203.0.113.7 2001:db8:2::/64",
		  "10.9.0.0/16 192.0.2.0/24 2001:db8:1::/64 2001:db8:4::/64" },
	};
	AUTO(facts_drop) struct facts facts = { 0 };
	char got[512];

	(void)state;
	if (!have_namespace)
		skip();
	run("ip link add pair0 type veth peer name pair1 && ip link set pair0 up && ip link set pair1 up");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run(rows[i].command);
		assert_int_equal(facts_read(&facts), 0);
		print_all(facts.local.at, facts.local.n, got, sizeof got);
		if (strcmp(got, rows[i].local) != 0)
			fail_msg("%s: local: got \"%s\", want \"%s\"", rows[i].what, got,
				 rows[i].local);
		print_connected(&facts, got, sizeof got);
		if (strcmp(got, rows[i].connected) != 0)
			fail_msg("%s: connected: got \"%s\", want \"%s\"", rows[i].what, got,
				 rows[i].connected);
	}
	run("ip link del pair0 && ip route del local 198.51.100.0/26 dev lo && "
	    "ip route del local 203.0.113.7 dev lo && ip -6 route del local 2001:db8:2::/64 dev lo");
}

static void test_rules(void **state)
{
	static const struct {
		const char *what, *command;
		struct fwmark_rule want;
	} rows[] = {
		{ "a mark alone has the whole mask",
		  "ip rule add fwmark 0x11 lookup 70 pref 1000",
		  { { 0x11 }, { 0xffffffff }, 1000, 70, FAMILY_IPV4, 0 } },
		{ "a mark and a mask",
		  "ip rule add fwmark 0x80000/0xff0000 lookup 52 pref 5210",
		  { { 0x80000 }, { 0xff0000 }, 5210, 52, FAMILY_IPV4, 0 } },
		{ "a mark of 0",
		  "ip rule add fwmark 0/0xf00 lookup 71 pref 900",
		  { { 0 }, { 0xf00 }, 900, 71, FAMILY_IPV4, 0 } },
		{ "a table above 255",
		  "ip rule add fwmark 0x12 lookup 51820 pref 1001",
		  { { 0x12 }, { 0xffffffff }, 1001, 51820, FAMILY_IPV4, 0 } },
		{ "IPv6",
		  "ip -6 rule add fwmark 0x13 lookup 72 pref 1002",
		  { { 0x13 }, { 0xffffffff }, 1002, 72, FAMILY_IPV6, 0 } },
		{ "of ours",
		  "ip rule add fwmark 0x14/0x1fff lookup 7100 pref 7100 protocol 111",
		  { { 0x14 }, { 0x1fff }, 7100, 7100, FAMILY_IPV4, PROTOCOL_OUTBIND } },
	};
	AUTO(facts_drop) struct facts facts = { 0 };

	(void)state;
	if (!have_namespace)
		skip();
	run("ip rule add from 192.0.2.1 lookup 73 pref 800");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool found = false;

		run(rows[i].command);
		assert_int_equal(facts_read(&facts), 0);
		for (size_t k = 0; k < facts.fwmark_rules.n; k++)
			found = found || memcmp(&facts.fwmark_rules.at[k], &rows[i].want,
						sizeof rows[i].want) == 0;
		if (!found || facts.fwmark_rules.n != i + 1)
			fail_msg("%s: got %zu rules, %s the one wanted", rows[i].what,
				 facts.fwmark_rules.n, found ? "with" : "without");
	}
}

static void test_links(void **state)
{
	AUTO(facts_drop) struct facts facts = { 0 };
	const struct link *link;

	(void)state;
	if (!have_namespace)
		skip();
	if (access("/dev/net/tun", R_OK | W_OK) < 0) {
		print_message("no /dev/net/tun: skipped\n");
		skip();
	}
	run("ip link add pair0 mtu 1400 address 02:00:00:00:00:07 type veth peer name pair1 && "
	    "ip tuntap add tun7 mode tun && ip link set pair0 up && ip link set tun7 up");
	assert_int_equal(facts_read(&facts), 0);
	link = facts_link(&facts, "pair0");
	assert_non_null(link);
	assert_int_equal(link->mtu, 1400);
	assert_int_equal(link->mac[0], 2);
	assert_int_equal(link->mac[5], 7);
	assert_true(link->asks);
	assert_false(link->up);			/* the other end is down: no carrier */
	run("ip link set pair1 up");
	assert_int_equal(facts_read(&facts), 0);
	assert_true(facts_link(&facts, "pair0")->up);
	assert_false(facts_link(&facts, "tun7")->up);
	assert_false(facts_link(&facts, "tun7")->asks);
	assert_true(facts_link(&facts, "lo")->up);
	assert_false(facts_link(&facts, "lo")->asks);
	assert_null(facts_link(&facts, "pair"));
	run("ip link del pair0 && ip link del tun7");
}

/* Rules of test_rules() would lead out by themselves: this one comes before. */
static void test_ways_out(void **state)
{
	static const struct {
		const char *what, *command;
		bool none4, none6;
		const char *main4, *main6;	/* interface of the default route */
	} rows[] = {
		{ "link-local alone", "true", true, true, NULL, NULL },
		{ "an IPv4 network", "ip addr add 192.0.2.1/24 dev pair0", false, true, NULL, NULL },
		{ "an IPv6 host route", "ip -6 route add 2001:db8:9::9 dev pair0", false, false,
		  NULL, NULL },
		{ "default routes", "ip route add default via 192.0.2.2 && "
		  "ip -6 route add default via fe80::7 dev pair0 proto ra",
		  false, false, "pair0", "pair0" },
		{ "without IPv4", "ip addr del 192.0.2.1/24 dev pair0", true, false, NULL,
		  "pair0" },
		{ "a rule for another table", "ip rule add from 10.0.0.0/8 lookup 9 pref 100",
		  false, false, NULL, "pair0" },
		{ "a rule of ours", "ip rule del pref 100 && "
		  "ip rule add fwmark 1 lookup 9 protocol 111 pref 7100",
		  true, false, NULL, "pair0" },
	};
	AUTO(facts_drop) struct facts facts = { 0 };

	(void)state;
	if (!have_namespace)
		skip();
	run("ip link add pair0 type veth peer name pair1 && ip link set pair0 up && ip link set pair1 up");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct link *pair;

		run(rows[i].command);
		assert_int_equal(facts_read(&facts), 0);
		pair = facts_link(&facts, "pair0");
		if (facts.no_way_out[FAMILY_IPV4] != rows[i].none4 ||
		    facts.no_way_out[FAMILY_IPV6] != rows[i].none6 ||
		    facts.main_link[FAMILY_IPV4] != (rows[i].main4 ? pair->index : 0) ||
		    facts.main_link[FAMILY_IPV6] != (rows[i].main6 ? pair->index : 0))
			fail_msg("%s: got none4 %d none6 %d main %u %u", rows[i].what,
				 facts.no_way_out[FAMILY_IPV4], facts.no_way_out[FAMILY_IPV6],
				 facts.main_link[FAMILY_IPV4], facts.main_link[FAMILY_IPV6]);
	}
	run("ip rule del pref 7100 && ip link del pair0");
}

static void test_others_parts_stay(void **state)
{
	AUTO(facts_drop) struct facts facts = { 0 };
	uint64_t *ids = mem_zero(1, sizeof *ids);

	(void)state;
	facts.cgroup_ids = ids;
	facts.n_execs = 0;
	PUSH(&facts.conflicts, (struct foreign_claim){ 0 });
	PUSH(&facts.uplinks, (struct uplink_state){ 0 });
	assert_int_equal(facts_read(&facts), 0);
	assert_ptr_equal(facts.cgroup_ids, ids);
	assert_int_equal(facts.conflicts.n, 1);
	assert_int_equal(facts.uplinks.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_duplicate),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_ways_out),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_others_parts_stay),
	};

	return cmocka_run_group_tests_name("facts", tests, enter_namespace, NULL);
}
