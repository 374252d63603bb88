/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a binding cannot carry a family, and in which words: one row a reason. */
#include "plan/plan_reason.h"
#include "plan_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void add_link(struct world *world, const char *name, bool up)
{
	struct link link = { .up = up, .index = (uint32_t)world->facts.links.n + 1 };

	snprintf(link.name, sizeof link.name, "%s", name);
	PUSH(&world->facts.links, link);	/* in order of names */
}

static struct probe probe4 = { .kind = PROBE_TCP, .port = 25 };
static struct probe probe6 = { .kind = PROBE_ICMP };

/*
 * acme has 192.0.2.11 and 2001:db8::11 and leaves by uplink isp2, whose interface is eth1; beta has
 * 192.0.2.12 and no uplink. All is well, and eth1 has acme's addresses.
 */
static void world_well(struct world *world)
{
	static struct uplink isp2 = { .name = "isp2", .interface = "eth1", .table = 101 };

	world_init(world);
	world_binding(world, "acme", "192.0.2.11 2001:db8::11");
	world_binding(world, "beta", "192.0.2.12");
	isp2.gateways[FAMILY_IPV4] = ip_of("198.51.100.1");
	isp2.gateways[FAMILY_IPV6] = ip_of("2001:db8::1");
	isp2.probe = NULL;
	PUSH(&world->model.uplinks, isp2);
	world->model.bindings.at[0].uplink = 0;
	world->model.bindings.at[1].uplink = NO_INDEX;
	PUSH(&world->facts.uplinks, (struct uplink_state){ 0 });
	world_local(world, "192.0.2.11", "eth1");
	world_local(world, "192.0.2.12", "eth0");
	world_local(world, "2001:db8::11", "eth1");
	add_link(world, "eth0", true);
	add_link(world, "eth1", true);
	probe4.to = ip_of("198.51.100.25");
	probe6.to = ip_of("2001:db8::25");
}

static void no_fact(struct world *w)		{ (void)w; }
static void no_address4(struct world *w)	{ w->facts.addresses.at[0].ip = ip_of("192.0.2.99"); }
static void tentative6(struct world *w)		{ w->facts.addresses.at[2].tentative = true; }
static void duplicate6(struct world *w)
{
	w->facts.addresses.at[2].duplicate = w->facts.addresses.at[2].tentative = true;
}
static void conflict4(struct world *w)
{
	struct foreign_claim claim = { .ip = ip_of("192.0.2.11"), .by = "52:54:00:12:34:56" };

	PUSH(&w->facts.conflicts, claim);
}
static void claiming4(struct world *w)
{
	no_address4(w);
	PUSH(&w->facts.claiming, ip_of("192.0.2.11"));
}
static void elsewhere(struct world *w)		{ w->model.bindings.at[0].interface = "eth0"; }
static void link_down(struct world *w)		{ w->facts.links.at[1].up = false; }
static void link_gone(struct world *w)		{ w->facts.links.n = 1; }
static void link_and_addresses(struct world *w)
{
	link_down(w);
	no_address4(w);
}
static void links_unknown(struct world *w)	{ w->facts.links.n = 0; }
static void other_link(struct world *w)		{ w->facts.links.at[0].up = false; }
static void no_route6(struct world *w)
{
	w->facts.uplinks.at[0].no_route[FAMILY_IPV6] = true;
}
static void silent4(struct world *w)
{
	w->facts.uplinks.at[0].silent[FAMILY_IPV4] = true;
}
static void no_way4(struct world *w)		{ w->facts.no_way_out[FAMILY_IPV4] = true; }
static void probe_fails4(struct world *w)
{
	w->model.bindings.at[0].probe = &probe4;
	PUSH(&w->facts.binding_probes, true);
}
static void probe_works4(struct world *w)
{
	w->model.bindings.at[0].probe = &probe4;
	PUSH(&w->facts.binding_probes, false);
}
static void uplink_probe6(struct world *w)
{
	w->model.uplinks.at[0].probe = &probe6;
	PUSH(&w->facts.uplink_probes, true);
}
static void routed4(struct world *w)
{
	no_address4(w);
	w->model.addresses.at[0].routed = true;
}
static void any_ip(struct world *w)
{
	no_address4(w);
	PUSH(&w->facts.local, prefix_of("192.0.2.0/24"));
}

static const struct {
	const char *what;
	void (*change)(struct world *world);
	uint32_t binding;
	const char *ipv4, *ipv6;
} reasons[] = {
	{ "all is well", no_fact, 0, "usable", "usable" },
	{ "beta has one family", no_fact, 1, "usable", "no IPv6 address in the binding" },
	{ "an address that is not there", no_address4, 0, "192.0.2.11 is not on this host", "usable" },
	{ "a tentative address", tentative6, 0, "usable", "2001:db8::11 is tentative (duplicate address detection)" },
	{ "the kernel found a duplicate", duplicate6, 0, "usable", "another host has 2001:db8::11 (duplicate address detection)" },
	{ "another host answers", conflict4, 0, "another host has 192.0.2.11: 52:54:00:12:34:56", "usable" },
	{ "an address that is being claimed", claiming4, 0, "192.0.2.11 is being claimed", "usable" },
	{ "on another interface", elsewhere, 0, "192.0.2.11 is on eth1, not on eth0", "2001:db8::11 is on eth1, not on eth0" },
	{ "its link is down", link_down, 0, "link eth1 is down", "link eth1 is down" },
	{ "its link is down, beside another", link_down, 1, "usable", "no IPv6 address in the binding" },
	{ "the uplink's link is gone", link_gone, 0, "link eth1 is not there", "link eth1 is not there" },
	{ "the link took the address with it", link_and_addresses, 0, "link eth1 is down", "link eth1 is down" },
	{ "nothing is known of links", links_unknown, 0, "usable", "usable" },
	{ "the link of an address without interface", other_link, 1, "link eth0 is down", "no IPv6 address in the binding" },
	{ "an uplink without default route", no_route6, 0, "usable", "uplink isp2 has no IPv6 default route" },
	{ "a gateway that is silent", silent4, 0, "gateway 198.51.100.1 does not answer", "usable" },
	{ "no way out, without uplink", no_way4, 1, "no IPv4 route leads out", "no IPv6 address in the binding" },
	{ "no way out of the main table, with uplink", no_way4, 0, "usable", "usable" },
	{ "a failing probe", probe_fails4, 0, "probe tcp 198.51.100.25:25 fails", "usable" },
	{ "a probe that works", probe_works4, 0, "usable", "usable" },
	{ "the uplink's failing probe", uplink_probe6, 0, "usable", "probe icmp 2001:db8::25 fails" },
	{ "the uplink's failing probe, beside it", uplink_probe6, 1, "usable", "no IPv6 address in the binding" },
	{ "a routed prefix needs no address", routed4, 0, "usable", "usable" },
	{ "nor does AnyIP", any_ip, 0, "usable", "usable" },
};

static void test_reasons(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		AUTO(world_drop) struct world world;
		const char *want[] = { reasons[i].ipv4, reasons[i].ipv6 };
		uint32_t binding = reasons[i].binding;

		world_well(&world);
		reasons[i].change(&world);
		assert_int_equal(world_build(&world, &world.plan), 0);
		for (int f = 0; f < FAMILIES; f++) {
			char got[PLAN_REASON];
			bool usable = strcmp(want[f], "usable") == 0;

			plan_reason_say(&world.model, &world.facts, &world.plan, binding,
					(enum family)f, got);
			if (strcmp(got, want[f]) != 0)
				fail_msg("%s: got \"%s\", want \"%s\"", reasons[i].what, got,
					 want[f]);
			if (plan_usable(&world.plan, binding, (enum family)f) != usable)
				fail_msg("%s: usable, or not", reasons[i].what);
		}
	}
}

/* Whoever stands in is named, and so is why it must. */
static void test_stand_in(void **state)
{
	AUTO(world_drop) struct world world;
	char got[PLAN_REASON];
	bool suspended[] = { false, true };

	(void)state;
	world_well(&world);
	link_down(&world);
	world.model.bindings.at[0].unusable = UNUSABLE_USE;
	world.model.bindings.at[0].unusable_use = 1;
	assert_int_equal(world_build(&world, &world.plan), 0);
	plan_reason_say(&world.model, &world.facts, &world.plan, 0, FAMILY_IPV4, got);
	assert_string_equal(got, "link eth1 is down; beta stands in");
	plan_drop(&world.plan);
	world.facts.suspended = mem_zero(2, sizeof *suspended);
	memcpy(world.facts.suspended, suspended, sizeof suspended);
	assert_int_equal(world_build(&world, &world.plan), 0);
	plan_reason_say(&world.model, &world.facts, &world.plan, 0, FAMILY_IPV4, got);
	assert_string_equal(got, "link eth1 is down; beta is suspended");
}

static void test_uplink(void **state)
{
	AUTO(world_drop) struct world world;
	char got[PLAN_REASON];

	(void)state;
	world_well(&world);
	silent4(&world);
	assert_int_equal(world_build(&world, &world.plan), 0);
	plan_reason_say_uplink(&world.model, &world.facts, &world.plan, 0, FAMILY_IPV4, got);
	assert_string_equal(got, "gateway 198.51.100.1 does not answer");
	plan_reason_say_uplink(&world.model, &world.facts, &world.plan, 0, FAMILY_IPV6, got);
	assert_string_equal(got, "usable");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_stand_in),
		cmocka_unit_test(test_uplink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
