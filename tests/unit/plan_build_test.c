/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan's sets, written out as text and compared: "KEY[-END][=VALUE][@ORIGIN]", fields joined by
 * dots, rows by spaces. Marks are numbers here, as the mask begins at bit 0.
 */
#include "plan_text.h"

#include "plan/spread.h"

static void test_shapes(void **unused)
{
	static const uint8_t lens[] = {
		[FIELD_HOST16] = 2,	[FIELD_HOST32] = 4,	[FIELD_CGROUP] = 8,
		[FIELD_IPV4] = 4,	[FIELD_IPV6] = 16,	[FIELD_PROTOCOL] = 4,
		[FIELD_PORT] = 4,	[FIELD_INTERFACE] = 16, [FIELD_COUNT_OVER] = 4,
		[FIELD_RATE_OVER] = 12, [FIELD_QUOTA_OVER] = 8, [FIELD_RANGE4] = 8,
		[FIELD_RANGE6] = 32
	};

	(void)unused;
	for (int i = 0; i < SETS; i++) {
		const struct set_shape *shape = &plan_shapes[i];
		unsigned len = 0;

		assert_non_null(shape->name);
		for (int f = 0; f < FIELDS_MAX; f++)
			len += lens[shape->key[f]];
		if (shape->key[1] == FIELD_NONE && shape->key[0] == FIELD_PROTOCOL)
			len = 1;		/* padded only beside another field */
		if (shape->key[1] == FIELD_NONE && shape->key[0] == FIELD_PORT)
			len = 2;
		assert_int_equal(shape->key_len, len);
		assert_in_range(shape->key_len, 1, KEY_MAX);
		assert_int_equal(shape->data_len,
				 shape->value == FIELD_PORT ? 2 : lens[shape->value]);
		assert_int_equal(shape->row_len, len * (shape->interval ? 2 : 1) + shape->data_len +
				 (shape->origin ? 4u : 0u));
	}
}

/* Names are what the template declares. */
static void test_names(void **unused)
{
	(void)unused;
	assert_string_equal(plan_shapes[SET_BYPASS4].name, "bypass4");
	assert_string_equal(plan_shapes[SET_WHERE_PROTOCOL].name, "where_protocol");
	assert_string_equal(plan_shapes[SET_BY_SOURCE6_TO].name, "by_source6_to");
	assert_string_equal(plan_shapes[SET_STEER].name, "steer");
}

static void test_marks(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	world.model.mask.host = 0x00ff0000;
	world_binding(&world, "default", "");
	world_binding(&world, "a", "");
	build(&world);
	assert_int_equal(world.plan.marks[1].host, 0x00020000);
	assert_int_equal(world.plan.pass.host, 0x00ff0000);
	assert_int_equal(world.plan.reject.host, 0x00fe0000);
	assert_int_equal(world.plan.n_bindings, 2);
	world_drop(&world);
}

#define CONNECTED	"@4294967293"		/* origins of plan_cover.h */
#define PRIVATE		"@4294967294"

static void test_bypass(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	build(&world);
	CHECK_SET(&world, SET_BYPASS4, "127.0.0.0-127.255.255.255 169.254.0.0-169.254.255.255 "
		  "224.0.0.0-255.255.255.255");
	CHECK_SET(&world, SET_BYPASS6, "::1 fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		  "ff00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	PUSH(&world.model.bypasses, ((struct bypass){ .prefix = prefix_of("192.0.2.0/25") }));
	PUSH(&world.model.bypasses, ((struct bypass){ .prefix = prefix_of("126.0.0.0/7") }));
	PUSH(&world.model.bypasses, ((struct bypass){ .prefix = prefix_of("224.1.0.0/16") }));
	PUSH(&world.facts.connected, ((struct on_link){ prefix_of("192.0.2.128/25"), 2 }));
	PUSH(&world.facts.connected, ((struct on_link){ prefix_of("192.0.2.0/26"), 2 }));
	world.model.bypass_connected = world.model.bypass_private = true;
	build(&world);
	CHECK_SET(&world, SET_BYPASS4, "10.0.0.0-10.255.255.255" PRIVATE " 100.64.0.0-100.127.255.255" PRIVATE " "
		  "126.0.0.0-127.255.255.255@1 169.254.0.0-169.254.255.255 "
		  "172.16.0.0-172.31.255.255" PRIVATE " 192.0.2.0-192.0.2.127@0 "
		  "192.0.2.128-192.0.2.255" CONNECTED " 192.168.0.0-192.168.255.255" PRIVATE " 224.0.0.0-255.255.255.255");
	CHECK_SET(&world, SET_BYPASS6, "::1 fc00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" PRIVATE " "
		  "fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		  "ff00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	world_drop(&world);
}

static void test_usable(void **unused)
{
	struct world world;
	struct local_address *at;

	(void)unused;
	usable_world(&world);
	world_local(&world, "192.0.2.1", "eth0");
	world_local(&world, "192.0.2.2", "eth1");
	world_local(&world, "2001:db8::2", "eth0");
	world_local(&world, "2001:db8::6", "eth0");
	build(&world);
	CHECK_SET(&world, SET_USABLE4, "1 3 4");
	CHECK_SET(&world, SET_USABLE6, "2 5");
	CHECK_SET(&world, SET_SNAT4, "1=192.0.2.1@0 3=192.0.2.1@0 4=192.0.2.1@0");
	CHECK_SET(&world, SET_SNAT6, "2=2001:db8::2@3 5=2001:db8::6@7");
	CHECK_SET(&world, SET_OWN4, "1.192.0.2.1@0 3.192.0.2.1@0 4.192.0.2.1@0");
	CHECK_SET(&world, SET_SPREAD4, "");
	assert_int_equal(world.plan.usability[0].reason[FAMILY_IPV6], UNUSABLE_ABSENT);
	assert_int_equal(world.plan.usability[1].reason[FAMILY_IPV4], UNUSABLE_INTERFACE);
	assert_int_equal(world.plan.usability[2].reason[FAMILY_IPV4], USABLE_BY_OTHER);
	assert_int_equal(world.plan.usability[2].by[FAMILY_IPV4], 0);
	assert_int_equal(world.plan.usability[2].reason[FAMILY_IPV6], UNUSABLE_NO_ADDRESS);
	assert_int_equal(world.plan.usability[4].reason[FAMILY_IPV6], USABLE);
	at = world.facts.addresses.at;		/* 2001:db8::6 is the last */
	at[world.facts.addresses.n - 1].tentative = true;
	build(&world);
	assert_int_equal(world.plan.usability[4].reason[FAMILY_IPV6], UNUSABLE_TENTATIVE);
	at[world.facts.addresses.n - 1].duplicate = true;
	build(&world);
	assert_int_equal(world.plan.usability[4].reason[FAMILY_IPV6], UNUSABLE_DUPLICATE);
	CHECK_SET(&world, SET_USABLE6, "2");
	world_drop(&world);
}

static void test_local_prefix(void **unused)
{
	struct world world;

	(void)unused;
	usable_world(&world);			/* AnyIP counts where no interface is asked for */
	PUSH(&world.facts.local, prefix_of("192.0.2.0/29"));
	PUSH(&world.facts.local, prefix_of("192.0.2.0/30"));
	build(&world);
	CHECK_SET(&world, SET_USABLE4, "1 3 4");
	CHECK_SET(&world, SET_OWN4, "1.192.0.2.1@0 3.192.0.2.3@4 3.192.0.2.4@5 4.192.0.2.5@6");
	CHECK_SET(&world, SET_SNAT4, "1=192.0.2.1@0 4=192.0.2.5@6");
	assert_int_equal(world.plan.sets[SET_SPREAD4].n, SPREAD_SLOTS);
	assert_int_equal(world.plan.usability[1].reason[FAMILY_IPV4], UNUSABLE_ABSENT);
	world_drop(&world);
}

static void test_unusable_loop_ends(void **unused)
{
	struct world world;

	(void)unused;
	usable_world(&world);
	world.model.bindings.at[0].unusable = UNUSABLE_USE;
	world.model.bindings.at[0].unusable_use = 2;
	build(&world);
	CHECK_SET(&world, SET_USABLE4, "");
	world_drop(&world);
}

/* What nobody asks opens no gate; the families are written as nfproto. */
static void test_gates(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	world_binding(&world, "default", "");
	world_binding(&world, "a", "");
	build(&world);
	CHECK_SET(&world, SET_ASKED, "");
	CHECK_SET(&world, SET_BY_CGROUP_ASKED, "");
	CHECK_SET(&world, SET_QUALIFIED, "");
	CHECK_SET(&world, SET_UNOWNED, "1 58");
	world_rule(&world, users(33, 33), NULL, ACTION_USE, 1);
	build(&world);
	CHECK_SET(&world, SET_ASKED, "2 10");
	CHECK_SET(&world, SET_BY_CGROUP_ASKED, "");
	CHECK_SET(&world, SET_UNOWNED, "1 6 58");
	world_drop(&world);
}

/* What forwards nothing is not asked: neither rules about local clients nor what they are turned to ask it. */
static void test_asked_forwarded(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	world_binding(&world, "default", "");
	world_rule(&world, users(33, 33), NULL, ACTION_USE, 0);
	build(&world);
	CHECK_SET(&world, SET_ASKED_FORWARDED, "");
	CHECK_SET(&world, SET_WHOLE, "0.0-255.255");
	world_rule(&world, source("10.88.0.0/16"), NULL, ACTION_USE, 0);
	build(&world);
	CHECK_SET(&world, SET_ASKED_FORWARDED, "2 10");
	world_drop(&world);
}

/* A zone for each number and for reject, none for the numbers 0 and pass. */
static void test_zones(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	world_binding(&world, "default", "");
	world_binding(&world, "a", "");
	build(&world);
	assert_int_equal(world.plan.sets[SET_ZONE].n, 3);
	for (size_t i = 0; i < 3; i++) {
		const uint8_t *row = world.plan.sets[SET_ZONE].at + i * 6;
		uint32_t mark;
		uint16_t zone;

		memcpy(&mark, row, sizeof mark);
		memcpy(&zone, row + 4, sizeof zone);
		assert_int_equal(zone, mark == world.plan.reject.host ? 65535 : mark);
		assert_int_not_equal(mark, world.plan.pass.host);
	}
	world_drop(&world);
}

static void test_clients(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	world_binding(&world, "default", "");
	world_binding(&world, "a", "");
	world_rule(&world, users(33, 33), NULL, ACTION_USE, 1);
	world_rule(&world, users(1000, 1999), NULL, ACTION_REJECT, 0);
	world_rule(&world, users(1500, 1599), NULL, ACTION_PASS, 0);
	world_rule(&world, users(1600, 1600), NULL, ACTION_USE, 0);
	world_rule(&world, groups(5, 5), NULL, ACTION_USE, 1);
	world_rule(&world, groups(6, UINT32_MAX), NULL, ACTION_USE, 1);
	world_rule(&world, source("10.0.0.0/8"), NULL, ACTION_USE, 0);
	world_rule(&world, source("10.255.255.0/24"), NULL, ACTION_USE, 1);
	world_rule(&world, source("fd00::/8"), NULL, ACTION_PASS, 0);
	world_rule(&world, otherwise(), NULL, ACTION_PASS, 0);
	build(&world);
	CHECK_SET(&world, SET_BY_USER, "33=2@0 1600=1@3");
	CHECK_SET(&world, SET_BY_USERS, "1000-1499=8190@1 1500-1599=8191@2 1600-1999=8190@1");
	CHECK_SET(&world, SET_BY_GROUP, "5=2@4");
	CHECK_SET(&world, SET_BY_GROUPS, "6-4294967295=2@5");
	CHECK_SET(&world, SET_SOURCES4, "10.0.0.0-10.255.255.255");
	CHECK_SET(&world, SET_SOURCES6, "fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	CHECK_SET(&world, SET_BY_SOURCE4,
		  "10.0.0.0-10.255.254.255=1@6 10.255.255.0-10.255.255.255=2@7");
	CHECK_SET(&world, SET_OTHERWISE, "0=8191@9");
	CHECK_SET(&world, SET_BY_USERS_TO, "");
	world_drop(&world);
}

static void test_cgroups(void **unused)
{
	struct world world;
	struct client path, unit, gone;

	(void)unused;
	world_init(&world);
	world_binding(&world, "default", "");
	world_binding(&world, "a", "");
	path = cgroup(&world, false, "/system.slice/a.service", 70);
	unit = cgroup(&world, true, "a.service", 70);
	gone = cgroup(&world, true, "b.service", 0);
	world_rule(&world, unit, NULL, ACTION_USE, 0);
	world_rule(&world, path, NULL, ACTION_USE, 1);
	world_rule(&world, gone, NULL, ACTION_USE, 1);
	world_rule(&world, unit, world_to(&world, "", "25", "6"), ACTION_REJECT, 0);
	world_rule(&world, path, world_to(&world, "", "20-30", "6"), ACTION_PASS, 0);
	world.facts.n_execs = 2;
	world.facts.execs = mem_zero(2, sizeof *world.facts.execs);
	world.facts.execs[0].id = 70;
	world.facts.execs[1].id = 80;
	world.facts.execs[1].binding = 1;
	build(&world);
	CHECK_SET(&world, SET_BY_CGROUP, "70=2@1 80=2");
	CHECK_SET(&world, SET_WHERE_PORT, "0.6.20-0.6.24=1 0.6.25=2 0.6.26-0.6.30=1");
	CHECK_SET(&world, SET_BY_CGROUP_TO, "70.1=8191@4 70.2=8190@3");
	world_drop(&world);
}

static void test_destinations(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	world_binding(&world, "default", "");
	world_rule(&world, users(1, 1), world_to(&world, "192.0.2.0/24", "25", "6"), ACTION_USE, 0);
	world_rule(&world, users(2, 2), world_to(&world, "192.0.2.0/25,2001:db8::/32", "", "1,2,7"),
		   ACTION_USE, 0);
	world_rule(&world, users(3, 3), world_to(&world, "192.0.1.255,192.0.2.0/24", "25", "6"),
		   ACTION_PASS, 0);
	build(&world);
	CHECK_SET(&world, SET_TO4, "192.0.1.255=1 192.0.2.0-192.0.2.127=3 192.0.2.128-192.0.2.255=2");
	CHECK_SET(&world, SET_TO6, "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff=4");
	CHECK_SET(&world, SET_WHERE_PORT, "1.6.25=1 2.6.25=2 3.6.25=2");
	CHECK_SET(&world, SET_WHERE_PROTOCOL,
		  "3.1-3.2=3 3.7=3 4.1-4.2=3 4.7=3");
	CHECK_SET(&world, SET_BY_USER_TO, "1.2=1@0 2.3=1@1 3.1=8191@2 3.2=8191@2");
	world_drop(&world);
}

static void test_protocols_around_ports(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	world_binding(&world, "default", "");
	world_rule(&world, otherwise(), world_to(&world, "192.0.2.1", "", ""), ACTION_USE, 0);
	build(&world);
	CHECK_SET(&world, SET_WHERE_PORT, "1.6.0-1.6.65535=1 1.17.0-1.17.65535=1 "
		  "1.33.0-1.33.65535=1 1.132.0-1.132.65535=1 1.136.0-1.136.65535=1");
	CHECK_SET(&world, SET_WHERE_PROTOCOL, "1.0-1.5=1 1.7-1.16=1 1.18-1.32=1 1.34-1.131=1 "
		  "1.133-1.135=1 1.137-1.255=1");
	CHECK_SET(&world, SET_OTHERWISE, "1=1@0");
	world_drop(&world);
}

/* A wide range's qualified rule gives way to a narrow range's unqualified one, and only there. */
static void test_nested_ranges_with_classes(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	world_binding(&world, "default", "");
	world_rule(&world, users(0, 99), world_to(&world, "", "25", "6"), ACTION_USE, 0);
	world_rule(&world, users(40, 49), NULL, ACTION_PASS, 0);
	world_rule(&world, users(10, 29), world_to(&world, "", "25", "6"), ACTION_REJECT, 0);
	world_rule(&world, users(0, 199), NULL, ACTION_PASS, 0);
	build(&world);
	CHECK_SET(&world, SET_BY_USERS_TO,
		  "0.1-9.1=1@0 10.1-29.1=8190@2 30.1-39.1=1@0 50.1-99.1=1@0");
	CHECK_SET(&world, SET_BY_USERS, "0-39=8191@3 40-49=8191@1 50-199=8191@3");
	world_drop(&world);
}

static const struct {
	const char *what;
	const char *first[3], *second[3];	/* to, ports, protocols */
	bool want;				/* an error */
} pairs[] = {
	{ "the same destination twice", { "", "25", "" }, { "", "25", "" }, true },
	{ "no qualifier twice", { "", "", "" }, { "", "", "" }, true },
	{ "one within the other", { "192.0.2.0/24", "25", "" }, { "", "25", "" }, false },
	{ "apart in ports", { "192.0.2.0/24", "25", "" }, { "", "26", "" }, false },
	{ "apart in addresses", { "192.0.2.0/24", "", "" }, { "198.51.100.0/24", "25", "" }, false },
	{ "apart in family", { "192.0.2.0/24", "", "" }, { "2001:db8::/32", "25", "" }, false },
	{ "crossing", { "192.0.2.0/24", "", "" }, { "", "25", "" }, true },
	{ "crossing port ranges", { "", "1-20", "" }, { "", "10-30", "" }, true },
	{ "apart in protocol", { "", "1-20", "6" }, { "", "10-30", "17" }, false },
	{ "crossing lists", { "192.0.2.1,192.0.2.3", "", "" }, { "192.0.2.3,192.0.2.5", "", "" }, true },
};

static void test_conflicts(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct world world;
		struct plan untouched = { .n_bindings = 0xa5 };
		const char *want = "this rule and the one at test.conf:1:1 claim the same client and "
				   "destination, and neither is narrower";
		int r;

		world_init(&world);
		world_binding(&world, "default", "");
		world_rule(&world, users(7, 7), world_to(&world, pairs[i].first[0],
			   pairs[i].first[1], pairs[i].first[2]), ACTION_PASS, 0);
		world_rule(&world, users(7, 7), world_to(&world, pairs[i].second[0],
			   pairs[i].second[1], pairs[i].second[2]), ACTION_PASS, 0);
		r = world_build(&world, pairs[i].want ? &untouched : &world.plan);
		if (r != (pairs[i].want ? -EINVAL : 0))
			fail_msg("%s: got %d", pairs[i].what, r);
		if (pairs[i].want) {
			assert_int_equal(world.diag.n, 1);
			assert_int_equal(world.diag.at[0].where.line, 2);
			assert_string_equal(world.diag.at[0].text, want);
			assert_int_equal(untouched.n_bindings, 0xa5);
		}
		world_drop(&world);
	}
}

static void test_equal_width(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	world_binding(&world, "default", "");
	world_rule(&world, groups(10, 19), NULL, ACTION_PASS, 0);
	world_rule(&world, groups(15, 24), NULL, ACTION_PASS, 0);
	assert_int_equal(world_build(&world, &world.plan), -EINVAL);
	assert_int_equal(world.diag.at[0].where.line, 2);
	world_drop(&world);
	world_init(&world);			/* but they count as one client */
	world_binding(&world, "default", "");
	world_rule(&world, groups(15, 24), world_to(&world, "", "20-30", "6"), ACTION_PASS, 0);
	world_rule(&world, groups(10, 19), world_to(&world, "", "25", "6"), ACTION_REJECT, 0);
	world_rule(&world, groups(10, 19), NULL, ACTION_REJECT, 0);
	build(&world);
	CHECK_SET(&world, SET_BY_GROUPS_TO, "10.2-19.2=8190@1 15.1-24.1=8191@0 20.2-24.2=8191@0");
	world_drop(&world);
}

static void test_digest(void **unused)
{
	struct world world;
	struct plan again;
	char one[33], two[33];

	(void)unused;
	usable_world(&world);
	world_local(&world, "192.0.2.1", "eth0");
	world_rule(&world, users(1, 9), world_to(&world, "", "25", ""), ACTION_USE, 0);
	world_rule(&world, users(3, 3), NULL, ACTION_USE, 0);
	build(&world);
	plan_digest(&world.plan, one);
	assert_int_equal(strlen(one), 32);
	assert_int_equal(world_build(&world, &again), 0);
	plan_digest(&again, two);
	assert_string_equal(one, two);
	plan_drop(&again);
	struct rule first = world.model.rules.at[0];	/* order of the text does not count */

	world.model.rules.at[0] = world.model.rules.at[1];
	world.model.rules.at[1] = first;
	build(&world);
	plan_digest(&world.plan, two);
	assert_string_equal(one, two);
	world.model.rules.at[0].action = ACTION_REJECT;
	build(&world);
	plan_digest(&world.plan, two);
	assert_string_not_equal(one, two);
	world_drop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_bypass),
		cmocka_unit_test(test_usable),
		cmocka_unit_test(test_local_prefix),
		cmocka_unit_test(test_unusable_loop_ends),
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_asked_forwarded),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_clients),
		cmocka_unit_test(test_cgroups),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_protocols_around_ports),
		cmocka_unit_test(test_nested_ranges_with_classes),
		cmocka_unit_test(test_conflicts),
		cmocka_unit_test(test_equal_width),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
