/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose connections are turned to the relay: disjoint rows, the narrower client first. */
#include "plan_text.h"

struct who { enum relay_by kind; uint32_t first, last; const char *source; };

static void intercept(struct world *world, uint16_t to, const struct who *who, uint32_t n_who,
		      const struct port_range *ports, uint32_t n_ports)
{
	struct relay_client *clients = arena_alloc(&world->model.arena, n_who * sizeof *clients);
	struct relay_listener listener = { .name = "i", .protocol = RELAY_INTERCEPT,
					   .at = { .port = to } };

	for (uint32_t i = 0; i < n_who; i++) {
		clients[i].kind = who[i].kind;
		if (who[i].kind == RELAY_BY_SOURCE)
			clients[i].source = prefix_of(who[i].source);
		else if (who[i].kind == RELAY_BY_CGROUP)
			clients[i].cgroup = who[i].first;
		else
			clients[i].ids = (struct id_range){ who[i].first, who[i].last };
	}
	listener.intercept = (struct relay_intercept){ .clients = clients, .n_clients = n_who,
						       .ports = ports, .n_ports = n_ports };
	world->model.relay.given = true;
	PUSH(&world->model.relay.listeners, listener);
}

static const struct port_range smtp[] = { { 25, 25 } }, mail[] = { { 20, 30 }, { 587, 587 } };

static void test_nobody(void **unused)
{
	struct world world;

	(void)unused;
	world_init(&world);
	build(&world);
	CHECK_SET(&world, SET_INTERCEPT_PORTS, "");
	CHECK_SET(&world, SET_TURNED_USER, "");
	world_drop(&world);
}

static void test_narrower_first(void **unused)
{
	static const struct who wide[] = { { RELAY_BY_USER, 100, 200, NULL } };
	static const struct who one[] = { { RELAY_BY_USER, 150, 150, NULL } };
	struct world world;

	(void)unused;
	world_init(&world);
	intercept(&world, 2526, wide, 1, smtp, 1);
	intercept(&world, 2527, one, 1, smtp, 1);
	build(&world);
	CHECK_SET(&world, SET_INTERCEPT_PORTS, "25");
	CHECK_SET(&world, SET_TURNED_USER, "100.25-149.25 150.25 151.25-200.25");
	CHECK_SET(&world, SET_INTERCEPT_USER,
		  "100.25-149.25=2526 150.25=2527 151.25-200.25=2526");
	world_drop(&world);
}

static void test_ports_apart(void **unused)
{
	static const struct who user[] = { { RELAY_BY_USER, 5, 5, NULL } };
	static const struct who users[] = { { RELAY_BY_USER, 1, 9, NULL } };
	struct world world;

	(void)unused;
	world_init(&world);
	intercept(&world, 1, users, 1, mail, 2);
	intercept(&world, 2, user, 1, smtp, 1);
	build(&world);
	CHECK_SET(&world, SET_INTERCEPT_PORTS, "20-30 587");
	CHECK_SET(&world, SET_INTERCEPT_USER,
		  "1.20-9.24=1 1.25-4.25=1 1.26-9.30=1 1.587-9.587=1 5.25=2 6.25-9.25=1");
	world_drop(&world);
}

static void test_sources(void **unused)
{
	static const struct who sources[] = { { RELAY_BY_SOURCE, 0, 0, "10.0.0.0/8" },
					      { RELAY_BY_SOURCE, 0, 0, "10.1.0.0/16" },
					      { RELAY_BY_SOURCE, 0, 0, "::/0" } };
	struct world world;

	(void)unused;
	world_init(&world);
	intercept(&world, 7, sources, 3, smtp, 1);
	build(&world);
	CHECK_SET(&world, SET_TURNED_SOURCE4,
		  "10.0.0.0.25-10.0.255.255.25 10.1.0.0.25-10.1.255.255.25 "
		  "10.2.0.0.25-10.255.255.255.25");
	CHECK_SET(&world, SET_TURNED_SOURCE6,
		  "::.25-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff.25");
	world_drop(&world);
}

static void test_cgroups_that_are_there(void **unused)
{
	static const struct who units[] = { { RELAY_BY_CGROUP, 0, 0, NULL },
					    { RELAY_BY_CGROUP, 1, 0, NULL } };
	struct world world;

	(void)unused;
	world_init(&world);
	PUSH(&world.model.cgroups, ((struct cgroup_client){ true, "postfix.service" }));
	PUSH(&world.model.cgroups, ((struct cgroup_client){ true, "exim4.service" }));
	world.facts.cgroup_ids = mem_zero(2, sizeof *world.facts.cgroup_ids);
	world.facts.cgroup_ids[1] = 77;
	intercept(&world, 2526, units, 2, smtp, 1);
	build(&world);
	CHECK_SET(&world, SET_INTERCEPT_CGROUP, "77.25=2526");
	world_drop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody), cmocka_unit_test(test_narrower_first),
		cmocka_unit_test(test_ports_apart), cmocka_unit_test(test_sources),
		cmocka_unit_test(test_cgroups_that_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
