/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, announcements, routes and neighbours on the real kernel, in a network namespace of its
 * own, where both ends of a veth pair live. Needs root. */
#include "base/mem.h"
#include "kernel/addresses.h"
#include "kernel/announce.h"
#include "kernel/facts.h"
#include "kernel/routes.h"

#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool have_namespace;
static struct channel route;
static struct facts facts;

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s: failed", command);
}

static int enter_namespace(void **state)
{
	(void)state;
	have_namespace = unshare(CLONE_NEWNET) == 0 &&
			 system("ip link set lo up && ip link add pair0 type veth peer name pair1 && "
				"ip link set pair0 addrgenmode none up && "
				"ip link set pair1 addrgenmode none up && "
				"ip addr add 192.0.2.1/24 dev pair0 && "
				"ip addr add 2001:db8::1/64 nodad dev pair0") == 0;
	if (!have_namespace) {
		print_message("no network namespace (root needed) or no ip(8): skipped\n");
		return 0;
	}
	return channel_open_route(&route) < 0 || facts_read(&facts) < 0;
}

static int leave_namespace(void **state)
{
	(void)state;
	channel_drop(&route);
	facts_drop(&facts);
	return 0;
}

static struct ip ip_of(const char *text)
{
	struct ip ip;

	if (ip_parse(text, &ip) < 0)
		fail_msg("%s is no address", text);
	return ip;
}

static void check_output(const char *what, const char *command, const char *want, bool has)
{
	char got[2048] = "";
	FILE *pipe = popen(command, "r");
	size_t n = pipe ? fread(got, 1, sizeof got - 1, pipe) : 0;

	got[n] = '\0';
	if (pipe)
		pclose(pipe);
	if ((strstr(got, want) != NULL) != has)
		fail_msg("%s: \"%s\" is %sin: %s", what, want, has ? "not " : "", got);
}

static void test_addresses(void **state)
{
	struct ip four = ip_of("192.0.2.11"), six = ip_of("2001:db8::11");
	uint32_t link;

	(void)state;
	if (!have_namespace)
		skip();
	link = facts_link(&facts, "pair0")->index;
	assert_int_equal(addresses_add(&route, &four, link), 0);
	assert_int_equal(addresses_add(&route, &six, link), 0);
	assert_int_equal(addresses_add(&route, &four, link), -EEXIST);
	assert_int_equal(addresses_add(&route, &six, link), -EEXIST);
	assert_int_equal(addresses_add(&route, &six, 999), -ENODEV);
	check_output("IPv4", "ip -4 addr show dev pair0", "192.0.2.11/32 scope host", true);
	check_output("IPv6", "ip -6 addr show dev pair0",
		     "2001:db8::11/128 scope global nodad deprecated noprefixroute", true);
	check_output("IPv6", "ip -6 addr show to 2001:db8::11", "tentative", false);
	check_output("no route", "ip -6 route show", "2001:db8::11", false);
	assert_int_equal(facts_read(&facts), 0);
	for (size_t i = 0; i < facts.addresses.n; i++)
		if (ip_equal(&facts.addresses.at[i].ip, &four) ||
		    ip_equal(&facts.addresses.at[i].ip, &six))
			assert_int_equal(facts.addresses.at[i].protocol, PROTOCOL_OUTBIND);
	assert_int_equal(addresses_remove(&route, &four, link), 0);
	assert_int_equal(addresses_remove(&route, &six, link), 0);
	assert_int_equal(addresses_remove(&route, &four, link), -EADDRNOTAVAIL);
	assert_int_equal(addresses_remove(&route, &six, link), -EADDRNOTAVAIL);
}

/* Traffic that nobody claims keeps its source: on the network, beyond it, and by an on-link route
 * without a source of its own, also when the host's address was deleted and added again. */
static void test_never_chosen(void **state)
{
	static const char *const gets[] = {
		"ip -4 route get 192.0.2.200", "ip -4 route get 203.0.113.1",
		"ip -4 route get 10.9.0.1", "ip -4 route get 224.0.0.251 oif pair0",
		"ip -4 route get 255.255.255.255 oif pair0", "ip -6 route get 2001:db8::200",
		"ip -6 route get 2001:db8:2::1",
	};
	struct ip four = ip_of("192.0.2.11"), six = ip_of("2001:db8::11");
	uint32_t link;

	(void)state;
	if (!have_namespace)
		skip();
	link = facts_link(&facts, "pair0")->index;
	for (int again = 0; again < 2; again++) {
		run("ip route add 203.0.113.0/24 via 192.0.2.2 && ip route add 10.9.0.0/16 dev pair0 "
		    "&& ip -6 route add 2001:db8:2::/64 via 2001:db8::2");
		if (!again)
			assert_int_equal(addresses_add(&route, &four, link) |
						 addresses_add(&route, &six, link), 0);
		for (size_t i = 0; i < ARRAY_LEN(gets); i++) {
			check_output(gets[i], gets[i], i < 5 ? "src 192.0.2.1 " : "src 2001:db8::1 ",
				     true);
			check_output(gets[i], gets[i], "::11", false);
		}
		run("ip addr del 192.0.2.1/24 dev pair0; ip addr del 2001:db8::1/64 dev pair0; "
		    "ip addr add 192.0.2.1/24 dev pair0; ip addr add 2001:db8::1/64 nodad dev pair0; "
		    "ip route flush 203.0.113.0/24; ip route flush 10.9.0.0/16; "
		    "ip -6 route flush 2001:db8:2::/64");
	}
	assert_int_equal(addresses_remove(&route, &four, link) |
				 addresses_remove(&route, &six, link), 0);
}

static void listen_for(struct announcer *announcer, const char *link, const char *low,
		       const char *high)
{
	struct ear ear = { .link = facts_link(&facts, link)->index, .family = { true, true },
			   .range4 = { ip_of(low), ip_of(high) } };

	assert_int_equal(announce_listen(announcer, &ear, 1), 0);
}

/* What is heard within a tenth of a second, as "ADDRESS has MAC", or "". */
static void hear(struct announcer *announcer, char *out, size_t room)
{
	struct pollfd polled = { .fd = announcer->poll.n, .events = POLLIN };
	struct heard heard;
	char text[IP_TEXT];

	out[0] = '\0';
	for (int i = 0; i < 10 && !out[0]; i++) {
		(void)!poll(&polled, 1, 10);
		if (announce_hear(announcer, &heard) == 0)
			snprintf(out, room, "%s %s %02x:%02x", ip_print(&heard.ip, text),
				 heard.wants ? "wants" : "has", heard.mac[0], heard.mac[5]);
	}
}

static void test_asking(void **state)
{
	static const struct { const char *what, *ask, *low, *high, *want; } rows[] = {
		{ "IPv4, somebody has it", "192.0.2.77", "192.0.2.70", "192.0.2.80",
		  "192.0.2.77 has 02:77" },
		{ "IPv4, nobody has it", "192.0.2.78", "192.0.2.70", "192.0.2.80", "" },
		{ "IPv4, not of interest", "192.0.2.77", "192.0.2.78", "192.0.2.80", "" },
		{ "IPv6, somebody has it", "2001:db8::77", "192.0.2.0", "192.0.2.0",
		  "2001:db8::77 has 02:77" },
		{ "IPv6, nobody has it", "2001:db8::78", "192.0.2.0", "192.0.2.0", "" },
	};
	struct announcer announcer;
	char got[100];

	(void)state;
	if (!have_namespace)
		skip();
	assert_int_equal(announce_open(&announcer), 0);
	run("ip link set pair1 address 02:00:00:00:00:77 && ip addr add 192.0.2.77/32 dev pair1 && "
	    "ip addr add 2001:db8::77/128 nodad dev pair1");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ip ip = ip_of(rows[i].ask);

		listen_for(&announcer, "pair0", rows[i].low, rows[i].high);
		assert_int_equal(announce_ask(&announcer, &ip, facts_link(&facts, "pair0")), 0);
		hear(&announcer, got, sizeof got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].what, got, rows[i].want);
	}
	run("ip addr flush dev pair1");
	announce_drop(&announcer);
}

/* Who listens at the other end hears both that somebody wants an address and that he has it. */
static void test_announcing(void **state)
{
	static const char *const addresses[] = { "192.0.2.99", "2001:db8::99" };
	struct announcer announcer;

	(void)state;
	if (!have_namespace)
		skip();
	run("ip link set pair0 address 02:00:00:00:00:01");
	assert_int_equal(facts_read(&facts), 0);
	assert_int_equal(announce_open(&announcer), 0);
	listen_for(&announcer, "pair1", "192.0.2.0", "192.0.2.255");
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct ip ip = ip_of(addresses[i]);
		char got[100], want[100];

		assert_int_equal(announce_ask(&announcer, &ip, facts_link(&facts, "pair0")), 0);
		hear(&announcer, got, sizeof got);
		/* IPv6: the group of the address is joined by who has it, and by nobody else */
		snprintf(want, sizeof want, "%s wants 02:01", addresses[i]);
		assert_string_equal(got, want);
		assert_int_equal(announce_have(&announcer, &ip, facts_link(&facts, "pair0")), 0);
		hear(&announcer, got, sizeof got);
		snprintf(want, sizeof want, "%s has 02:01", addresses[i]);
		assert_string_equal(got, want);
	}
	announce_drop(&announcer);
}

static struct route route_of(const char *to, uint8_t bits, const char *gateway, uint32_t metric)
{
	struct route made = { .to = { ip_of(to), bits }, .table = 7100, .metric = metric,
			      .link = facts_link(&facts, "pair0")->index };

	if (gateway)
		made.gateway = ip_of(gateway);
	made.unreachable = metric == UINT32_MAX;
	return made;
}

static void test_routes(void **state)
{
	struct routes got = { 0 };
	struct route wanted[6];

	(void)state;
	if (!have_namespace)
		skip();
	wanted[0] = route_of("0.0.0.0", 0, NULL, UINT32_MAX);
	wanted[1] = route_of("192.0.2.0", 24, NULL, 256);
	wanted[2] = route_of("0.0.0.0", 0, "192.0.2.2", 1024);
	wanted[3] = route_of("::", 0, NULL, UINT32_MAX);
	wanted[4] = route_of("2001:db8::", 64, NULL, 256);
	wanted[5] = route_of("::", 0, "fe80::2", 1024);
	assert_int_equal(routes_read(&route, 7100, &got), 0);
	assert_int_equal(got.n, 0);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		assert_int_equal(routes_add(&route, &wanted[i]), 0);
		assert_int_equal(routes_add(&route, &wanted[i]), -EEXIST);
	}
	assert_int_equal(routes_read(&route, 7100, &got), 0);
	assert_int_equal(got.n, ARRAY_LEN(wanted));
	for (size_t i = 0; i < got.n; i++) {
		bool found = false;

		assert_int_equal(got.at[i].protocol, PROTOCOL_OUTBIND);
		for (size_t k = 0; k < ARRAY_LEN(wanted); k++)
			found = found || (ip_equal(&got.at[i].to.ip, &wanted[k].to.ip) &&
					  got.at[i].metric == wanted[k].metric &&
					  got.at[i].unreachable == wanted[k].unreachable &&
					  got.at[i].gateway.len == wanted[k].gateway.len);
		assert_true(found);
	}
	run("ip route add 10.0.0.0/8 dev pair0 table 7100");	/* somebody else's */
	wanted[1].to = (struct prefix){ ip_of("10.0.0.0"), 8 };
	wanted[1].metric = 0;
	assert_int_equal(routes_remove(&route, &wanted[1]), -ESRCH);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (i != 1)
			assert_int_equal(routes_remove(&route, &wanted[i]), 0);
	assert_int_equal(routes_read(&route, 7100, &got), 0);
	assert_int_equal(got.n, 2);
	free(got.at);
}

static void test_rules(void **state)
{
	struct fwmark_rule rule = { .mark = { 0x7 }, .mask = { 0x1fff }, .priority = 7100,
				    .table = 7100 };

	(void)state;
	if (!have_namespace)
		skip();
	for (int f = 0; f < FAMILIES; f++) {
		rule.family = (enum family)f;
		assert_int_equal(routes_add_rule(&route, &rule), 0);
		assert_int_equal(routes_add_rule(&route, &rule), -EEXIST);
		check_output("a rule", f ? "ip -6 -d rule" : "ip -d rule",
			     "7100:	from all fwmark 0x7/0x1fff lookup 7100 proto 111", true);
		assert_int_equal(routes_remove_rule(&route, &rule), 0);
		assert_int_equal(routes_remove_rule(&route, &rule), -ENOENT);
	}
}

static void test_neighbours(void **state)
{
	enum neighbour got = NEIGHBOUR_SILENT;
	struct ip fixed = ip_of("192.0.2.50"), nobody = ip_of("192.0.2.51");
	uint32_t link;

	(void)state;
	if (!have_namespace)
		skip();
	link = facts_link(&facts, "pair0")->index;
	assert_int_equal(routes_read_neighbour(&route, &nobody, link, false, &got), 0);
	assert_int_equal(got, NEIGHBOUR_UNKNOWN);
	assert_int_equal(routes_read_neighbour(&route, &nobody, link, true, &got), 0);
	assert_int_equal(routes_read_neighbour(&route, &nobody, link, false, &got), 0);
	assert_int_equal(got, NEIGHBOUR_ASKED);
	for (int i = 0; i < 50 && got == NEIGHBOUR_ASKED; i++) {
		usleep(100 * 1000);
		assert_int_equal(routes_read_neighbour(&route, &nobody, link, false, &got), 0);
	}
	assert_int_equal(got, NEIGHBOUR_SILENT);
	run("ip neigh add 192.0.2.50 lladdr 02:00:00:00:00:50 dev pair0 nud permanent");
	assert_int_equal(routes_read_neighbour(&route, &fixed, link, true, &got), 0);
	assert_int_equal(got, NEIGHBOUR_THERE);
	check_output("a fixed entry stays one", "ip neigh show nud permanent", "192.0.2.50", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_never_chosen),
		cmocka_unit_test(test_asking),
		cmocka_unit_test(test_announcing),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_neighbours),
	};

	return cmocka_run_group_tests_name("plumbing", tests, enter_namespace, leave_namespace);
}
