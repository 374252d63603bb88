/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts and the lookups behind them; plan_property_test.c has the breadth, this has the order. */
#include "plan_support.h"

#include "model/conf.h"
#include "plan/explain.h"
#include "plan/spread.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Bindings 0 default, 1 a (two addresses), 2 away; rules in the order of the lines below. */
static void make(struct world *world)
{
	world_init(world);
	world_binding(world, "default", "192.0.2.1");
	world_binding(world, "a", "192.0.2.2 192.0.2.3");
	world_binding(world, "away", "192.0.2.9");
	world_local(world, "192.0.2.1", "eth0");
	world_local(world, "192.0.2.2", "eth0");
	world_local(world, "192.0.2.3", "eth0");
	PUSH(&world->model.bypasses, ((struct bypass){ .prefix = prefix_of("203.0.113.0/24") }));
	world_rule(world, cgroup(world, false, "/a", 70), NULL, ACTION_USE, 1);
	world_rule(world, cgroup(world, false, "/a/b", 71), world_to(world, "", "25", ""),
		   ACTION_USE, 2);
	world_rule(world, users(33, 33), NULL, ACTION_REJECT, 0);
	world_rule(world, groups(5, 9), NULL, ACTION_PASS, 0);
	world_rule(world, source("10.88.0.0/16"), NULL, ACTION_USE, 1);
	world_rule(world, otherwise(), world_to(world, "", "25", ""), ACTION_REJECT, 0);
	if (world_build(world, &world->plan) < 0)
		fail_msg("%s", world->diag.at[0].text);
}

static const struct {
	const char *what;
	uint32_t mark;
	uint64_t cgroups[3];
	int uid, gid;
	const char *source, *to;
	uint16_t port;
	const char *want;			/* verdict, rule, binding, sets asked ("+": found) */
} cases[] = {
	{ "a cgroup", 0, { 71, 70 }, 33, 5, NULL, "198.51.100.7", 80,
	  "binding 0 1 bypass4 intercept_ports to4 where_port where_protocol by_cgroup by_cgroup+ usable4+ spread4+" },
	{ "the deeper cgroup's port", 0, { 71, 70 }, 33, 5, NULL, "198.51.100.7", 25,
	  "unusable 1 2 bypass4 intercept_ports to4 where_port+ by_cgroup_to+ usable4 limited4" },
	{ "a user", 0, { 99 }, 33, 5, NULL, "198.51.100.7", 80,
	  "reject 2 - bypass4 intercept_ports to4 where_port where_protocol by_cgroup by_user+" },
	{ "a group of a range", 0, { 0 }, 34, 6, NULL, "198.51.100.7", 80,
	  "pass 3 - bypass4 intercept_ports to4 where_port where_protocol by_user by_users by_group by_groups+" },
	{ "nobody", 0, { 0 }, -1, -1, NULL, "198.51.100.7", 80,
	  "unassigned - - bypass4 intercept_ports to4 where_port where_protocol otherwise" },
	{ "nobody, mailing", 0, { 0 }, -1, -1, NULL, "198.51.100.7", 25,
	  "reject 5 - bypass4 intercept_ports to4 where_port+ otherwise+" },
	{ "a bypassed destination", 2, { 70 }, 33, 5, NULL, "203.0.113.9", 25,
	  "bypass - - bypass4+" },
	{ "a marked socket", 0x10002, { 71, 70 }, 33, 5, NULL, "198.51.100.7", 25,
	  "binding - 1 bypass4 usable4+ spread4+" },
	{ "a marked socket, one address", 1, { 0 }, 33, 5, NULL, "198.51.100.7", 25,
	  "binding - 0 bypass4 usable4+ spread4 snat4+" },
	{ "a mark that stands for nothing", 9, { 0 }, -1, -1, NULL, "198.51.100.7", 25,
	  "unknown-mark - - bypass4 usable4 limited4" },
	{ "the reserved number for pass", 0x1fff, { 0 }, -1, -1, NULL, "198.51.100.7", 25,
	  "unknown-mark - - bypass4 usable4 limited4" },
	{ "somebody else's bits", 0x10000, { 0 }, 33, -1, NULL, "198.51.100.7", 80,
	  "reject 2 - bypass4 intercept_ports to4 where_port where_protocol by_user+" },
	{ "a family without address", 2, { 0 }, -1, -1, NULL, "2001:db8::1", 80,
	  "unusable - 1 bypass6 usable6 limited6" },
	{ "forwarded", 0, { 0 }, -1, -1, "10.88.7.1", "198.51.100.7", 80,
	  "binding 4 1 intercept_ports sources4+ bypass4 to4 where_port where_protocol by_source4+ usable4+ own4 own_range4 "
	  "spread4+" },
	{ "forwarded, of no rule", 0, { 0 }, -1, -1, "10.99.7.1", "198.51.100.7", 25,
	  "unassigned - - intercept_ports sources4" },
};

static const char *print(const struct explanation *got)
{
	static char out[1024];

	sprintf(out, "%s", explain_verdict_name(got->verdict));
	if (got->rule == NO_INDEX)
		strcat(out, " -");
	else
		sprintf(out + strlen(out), " %u", got->rule);
	if (got->binding == NO_INDEX)
		strcat(out, " -");
	else
		sprintf(out + strlen(out), " %u", got->binding);
	for (size_t i = 0; i < got->n_lookups; i++)
		sprintf(out + strlen(out), " %s%s", plan_shapes[got->lookups[i].set].name,
			got->lookups[i].row ? "+" : "");
	return out;
}

static void test_cases(void **unused)
{
	struct world world;

	(void)unused;
	make(&world);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct packet packet = { .mark = { cases[i].mark }, .protocol = PROTOCOL_TCP,
					 .port = cases[i].port, .to = ip_of(cases[i].to),
					 .has_uid = cases[i].uid >= 0,
					 .uid = (uint32_t)cases[i].uid,
					 .has_gid = cases[i].gid >= 0,
					 .gid = (uint32_t)cases[i].gid };
		struct explanation got;

		memcpy(packet.cgroups, cases[i].cgroups, sizeof cases[i].cgroups);
		if (cases[i].source)
			packet.source = ip_of(cases[i].source);
		explain_packet(&world.model, &world.plan, &packet, &got);
		if (strcmp(print(&got), cases[i].want) != 0)
			fail_msg("%s: got %s\nwant %s", cases[i].what, print(&got), cases[i].want);
	}
	world_drop(&world);
}

static void test_source_on_the_wire(void **unused)
{
	struct packet packet = { .mark = { 2 }, .protocol = PROTOCOL_TCP, .port = 25 };
	struct explanation got;
	struct world world;
	struct ip own[2];

	(void)unused;
	make(&world);
	own[0] = ip_of("192.0.2.2");
	own[1] = ip_of("192.0.2.3");
	for (unsigned i = 0; i < 256; i++) {
		packet.to = (struct ip){ .octet = { 198, 51, 100, (uint8_t)i }, .len = 4 };
		explain_packet(&world.model, &world.plan, &packet, &got);
		assert_true(ip_equal(&got.source,
				     &own[spread_choose(own, 2, spread_slot(&packet.to))]));
	}
	packet = (struct packet){ .protocol = PROTOCOL_UDP, .port = 53 };
	packet.to = ip_of("203.0.113.9");
	explain_packet(&world.model, &world.plan, &packet, &got);
	assert_int_equal(got.bypass, 0);
	packet.to = ip_of("127.0.0.1");
	explain_packet(&world.model, &world.plan, &packet, &got);
	assert_int_equal(got.verdict, VERDICT_BYPASS);
	assert_int_equal(got.bypass, NO_INDEX);
	world_drop(&world);
}

static void test_to_local(void **unused)
{
	static const struct { const char *what, *to; bool want; } places[] = {
		{ "loopback", "127.0.0.1", true }, { "all of loopback", "127.9.8.7", true },
		{ "IPv6 loopback", "::1", true }, { "an own address", "192.0.2.2", true },
		{ "an own IPv6 address", "2001:db8::5", true },
		{ "of a local route", "198.51.100.200", true },
		{ "beside a local route", "198.51.100.7", false },
		{ "a tentative address", "2001:db8::6", false },
		{ "a duplicate address", "2001:db8::7", false },
		{ "an address that a binding names, of another host", "192.0.2.9", false },
		{ "not loopback", "::2", false },
	};
	struct world world;

	(void)unused;
	make(&world);
	world_local(&world, "2001:db8::5", "eth0");
	world_local(&world, "2001:db8::6", "eth0");
	world.facts.addresses.at[world.facts.addresses.n - 1].tentative = true;
	world_local(&world, "2001:db8::7", "eth0");
	world.facts.addresses.at[world.facts.addresses.n - 1].duplicate = true;
	PUSH(&world.facts.local, prefix_of("198.51.100.192/26"));
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct ip to = ip_of(places[i].to);

		if (explain_to_local(&world.facts, &to) != places[i].want)
			fail_msg("%s: got %d, want %d", places[i].what, !places[i].want,
				 places[i].want);
	}
	world_drop(&world);
}

/* Whoever sends it, and with any mark; no set is asked. */
static void test_local(void **unused)
{
	static const struct {
		const char *what;
		uint32_t mark, uid;
		const char *source;
	} senders[] = {
		{ "nobody", 0, 0, NULL }, { "a user to reject", 0, 33, NULL },
		{ "a marked socket", 2, 0, NULL }, { "an unknown mark", 9, 0, NULL },
		{ "forwarded", 0, 0, "10.88.7.1" },
	};
	struct world world;

	(void)unused;
	make(&world);
	for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
		struct packet packet = { .mark = { senders[i].mark }, .protocol = PROTOCOL_TCP,
					 .port = 25, .has_uid = true, .uid = senders[i].uid,
					 .to = ip_of("192.0.2.2"), .to_local = true };
		struct explanation got;

		if (senders[i].source)
			packet.source = ip_of(senders[i].source);
		explain_packet(&world.model, &world.plan, &packet, &got);
		if (strcmp(print(&got), "local - -") != 0)
			fail_msg("%s: got %s, want local - -", senders[i].what, print(&got));
	}
	world_drop(&world);
}

/* What --protocol takes: the names of the configuration. */
static void test_protocols(void **unused)
{
	static const struct { const char *name; int want; } names[] = {
		{ "tcp", 6 }, { "udp", 17 }, { "icmp", 1 }, { "icmpv6", 58 }, { "gre", 47 },
		{ "esp", 50 }, { "ospf", 89 }, { "vrrp", 112 }, { "udplite", 136 },
		{ "TCP", -1 }, { "tc", -1 }, { "", -1 }, { "6", -1 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		uint8_t number = 0;
		int got = conf_protocol_number(names[i].name, &number) < 0 ? -1 : number;

		if (got != names[i].want)
			fail_msg("'%s': got %d, want %d", names[i].name, got, names[i].want);
	}
}

/* The data path looks at eight levels from the root; what is deeper has no say. */
static void test_deep_cgroups(void **unused)
{
	struct packet packet = { .protocol = PROTOCOL_TCP, .port = 80 };
	struct explanation got;
	struct world world;

	(void)unused;
	make(&world);
	packet.to = ip_of("198.51.100.7");
	for (uint64_t i = 0; i < 8; i++)
		packet.cgroups[i] = i == 0 ? 70 : 100 + i;
	explain_packet(&world.model, &world.plan, &packet, &got);
	assert_int_equal(got.verdict, VERDICT_BINDING);
	packet.cgroups[8] = 200;
	explain_packet(&world.model, &world.plan, &packet, &got);
	assert_int_equal(got.verdict, VERDICT_UNASSIGNED);
	for (uint64_t i = 0; i < 16; i++)
		packet.cgroups[i] = 1000 + i;
	packet.has_uid = packet.has_gid = true;
	packet.port = 25;
	explain_packet(&world.model, &world.plan, &packet, &got);
	assert_in_range(got.n_lookups, 20, ARRAY_LEN(got.lookups));
	world_drop(&world);
}

static void test_texts(void **unused)
{
	(void)unused;
	for (int i = VERDICT_BINDING; i <= VERDICT_INTERCEPTED; i++) {
		assert_non_null(explain_verdict_text((enum verdict)i));
		assert_non_null(explain_verdict_name((enum verdict)i));
	}
	for (int i = USABLE; i <= UNUSABLE_STAND_IN; i++)
		for (int f = 0; f < FAMILIES; f++)
			assert_non_null(plan_reason_text((enum usable_reason)i, (enum family)f));
}

/* Sticky groups are computed as the kernel does; turns and chance are not. */
static void test_groups(void **unused)
{
	static const uint32_t members[][2] = { { 0, 3 }, { 1, 1 } };
	static const enum pick picks[] = { PICK_TO, PICK_CLIENT, PICK_TURN, PICK_RANDOM };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(picks); i++) {
		struct packet packet = { .to = ip_of("203.0.113.7"), .protocol = PROTOCOL_TCP,
					 .has_uid = true, .uid = 1000 };
		struct explanation told;
		struct world world;

		world_init(&world);
		world_binding(&world, "a", "192.0.2.1");
		world_binding(&world, "b", "192.0.2.2");
		world_local(&world, "192.0.2.1", "eth0");
		world_local(&world, "192.0.2.2", "eth0");
		world_group(&world, "g", picks[i], members, 2);
		world_rule(&world, users(1000, 1000), NULL, ACTION_USE, 2);
		assert_int_equal(world_build(&world, &world.plan), 0);
		explain_packet(&world.model, &world.plan, &packet, &told);
		assert_int_equal(told.group, 2);
		assert_int_equal(told.verdict, share_is_sticky(picks[i]) ? VERDICT_BINDING
									 : VERDICT_MEMBER);
		if (share_is_sticky(picks[i])) {
			assert_in_range(told.binding, 0, 1);
			assert_int_equal(told.source.octet[3], told.binding + 1);
		}
		world.facts.suspended = mem_zero(3, sizeof(bool));
		world.facts.suspended[0] = true;
		plan_drop(&world.plan);
		assert_int_equal(world_build(&world, &world.plan), 0);
		explain_packet(&world.model, &world.plan, &packet, &told);
		if (share_is_sticky(picks[i]))
			assert_int_equal(told.binding, 1);
		world.facts.suspended[1] = true;
		plan_drop(&world.plan);
		assert_int_equal(world_build(&world, &world.plan), 0);
		explain_packet(&world.model, &world.plan, &packet, &told);
		assert_int_equal(told.verdict, VERDICT_UNUSABLE);
		assert_string_equal(plan_usable_text(&world.plan, 2, FAMILY_IPV4),
				    "no member of the group is usable over IPv4");
		world_drop(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_source_on_the_wire),
		cmocka_unit_test(test_to_local),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_deep_cgroups),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
