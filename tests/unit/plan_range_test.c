/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routed prefixes: a range instead of an address, alone or beside addresses. */
#include "plan_text.h"

#include "plan/explain.h"
#include "plan/spread.h"

/* Binding `a`, number 2, with what is in @addresses and @prefix, which is routed. */
static void range_world(struct world *world, const char *addresses, const char *prefix)
{
	struct prefix routed = prefix_of(prefix);

	world_init(world);
	world_binding(world, "default", "");
	world_binding(world, "a", addresses);
	world->model.bindings.at[1].n_addresses++;
	PUSH(&world->model.addresses, ((struct address){
		.ip = routed.ip, .bits = routed.bits, .routed = true, .binding = 1 }));
}

static struct explanation explain_to(const struct world *world, const char *to)
{
	struct packet packet = { .mark = { 2 }, .to = ip_of(to), .protocol = PROTOCOL_TCP };
	struct explanation told;

	explain_packet(&world->model, &world->plan, &packet, &told);
	return told;
}

static void test_alone(void **unused)
{
	struct explanation told;
	struct world world;
	char text[PREFIX_TEXT];

	(void)unused;
	range_world(&world, "", "2001:db8:7::/64");
	build(&world);
	CHECK_SET(&world, SET_USABLE6, "2");	/* without an address on the host */
	CHECK_SET(&world, SET_USABLE4, "");
	CHECK_SET(&world, SET_RANGE6, "2=2001:db8:7::-2001:db8:7:0:ffff:ffff:ffff:ffff@0");
	CHECK_SET(&world, SET_OWN_RANGE6, "2.2001:db8:7::-2.2001:db8:7:0:ffff:ffff:ffff:ffff@0");
	CHECK_SET(&world, SET_OWN6, "");
	CHECK_SET(&world, SET_SNAT6, "");
	CHECK_SET(&world, SET_SPREAD6, "");
	told = explain_to(&world, "2001:db8:2::1");
	assert_int_equal(told.verdict, VERDICT_BINDING);
	assert_string_equal(prefix_print(&told.within, text), "2001:db8:7::/64");
	assert_int_equal(explain_to(&world, "192.0.2.1").verdict, VERDICT_UNUSABLE);
	world_drop(&world);
}

/* Each item has its share of the slots; those of the prefix have no row. */
static void test_beside_addresses(void **unused)
{
	size_t addresses = 0, within = 0;
	struct world world;

	(void)unused;
	range_world(&world, "192.0.2.1 192.0.2.2", "198.51.100.0/26");
	world_local(&world, "192.0.2.1", "eth0");
	world_local(&world, "192.0.2.2", "eth0");
	build(&world);
	CHECK_SET(&world, SET_OWN4, "2.192.0.2.1@0 2.192.0.2.2@1");
	CHECK_SET(&world, SET_OWN_RANGE4, "2.198.51.100.0-2.198.51.100.63@2");
	CHECK_SET(&world, SET_RANGE4, "2=198.51.100.0-198.51.100.63@2");
	CHECK_SET(&world, SET_SNAT4, "");
	assert_in_range(world.plan.sets[SET_SPREAD4].n, SPREAD_SLOTS / 3, SPREAD_SLOTS - 8);
	for (unsigned i = 0; i < 256; i++) {
		struct explanation told;
		char to[IP_TEXT];

		sprintf(to, "203.0.113.%u", i);
		told = explain_to(&world, to);
		assert_int_equal(told.verdict, VERDICT_BINDING);
		if (told.within.ip.len > 0)
			within++;
		else
			addresses++;
	}
	assert_in_range(within, 256 / 6, 256 / 2);
	assert_in_range(addresses, 256 / 2, 256);
	world_drop(&world);
}

static void test_address_that_is_gone(void **unused)
{
	struct world world;

	(void)unused;
	range_world(&world, "192.0.2.1", "198.51.100.0/32");
	build(&world);
	CHECK_SET(&world, SET_RANGE4, "2=198.51.100.0-198.51.100.0@1");
	CHECK_SET(&world, SET_SPREAD4, "");
	world_local(&world, "192.0.2.1", "eth0");
	build(&world);
	assert_in_range(world.plan.sets[SET_SPREAD4].n, SPREAD_SLOTS / 4, SPREAD_SLOTS * 3 / 4);
	world_drop(&world);
}

/* A forwarded packet that is from the prefix already stays as it is; another one does not. */
static void test_own(void **unused)
{
	struct packet packet = { .source = ip_of("198.51.100.9"), .to = ip_of("203.0.113.1"),
				 .protocol = PROTOCOL_TCP };
	struct explanation told;
	struct world world;

	(void)unused;
	range_world(&world, "", "198.51.100.0/28");
	world_rule(&world, source("198.51.100.0/24"), NULL, ACTION_USE, 1);
	build(&world);
	explain_packet(&world.model, &world.plan, &packet, &told);
	assert_int_equal(told.within.ip.len, 0);
	assert_true(ip_equal(&told.source, &packet.source));
	packet.source = ip_of("198.51.100.16");
	explain_packet(&world.model, &world.plan, &packet, &told);
	assert_int_equal(told.within.bits, 28);
	world_drop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_beside_addresses),
		cmocka_unit_test(test_address_that_is_gone),
		cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
