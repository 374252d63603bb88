/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent on a fake kernel: what it puts on interfaces and into routing, and what it leaves alone. */
#include "agent_lab.h"
#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/plumb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define A	"binding a { address 192.0.2.1; interface eth0; }\n"
#define AB	A "binding b { address 192.0.2.2; interface eth0; }\n"
#define UP	"uplink isp2 { interface eth1; gateway 198.51.100.254; }\n"
#define FAR	UP "binding a { address 192.0.2.1; uplink isp2; }\n"

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);

	lab_init(lab);
	fake_kernel_link(&lab->fake, "eth0", true);
	fake_kernel_link(&lab->fake, "eth1", true);
	fake_kernel_link(&lab->fake, "lo", false);
	plumb_open(&lab->agent);
	memset(log_counts, 0, sizeof log_counts);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;
	char path[128];

	plumb_close(&lab->agent);
	snprintf(path, sizeof path, "%s/%s", lab->dir, STATE_ADDRESSES);
	(void)unlink(path);
	snprintf(path, sizeof path, "%s/%s.new", lab->dir, STATE_ADDRESSES);
	(void)unlink(path);
	lab_drop(lab);
	free(lab);
	return 0;
}

static void another_agent(struct lab *lab, const char *conf)
{
	plumb_close(&lab->agent);
	lab_kill(lab);
	plumb_open(&lab->agent);
	assert_int_equal(lab_start(lab, conf), 0);
}

/* All that is due within two seconds. */
static void settle(struct lab *lab)
{
	for (int i = 0; i < 100; i++) {
		uint64_t due = plumb_due(&lab->agent), now = agent_clock();

		if (due == UINT64_MAX || (due > now && due - now > 2000000))
			return;
		if (due > now)
			usleep((useconds_t)(due - now));
		if (plumb_run(&lab->agent))
			assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	}
}

static enum usable_reason reason(const struct lab *lab, const char *name)
{
	uint32_t index = model_find(&lab->agent.now->model, name);

	return lab->agent.now->plan.usability[index].reason[FAMILY_IPV4];
}

static void test_asked_for_then_added(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, A), 0);
	assert_null(fake_kernel_has(&lab->fake, "192.0.2.1"));
	if (plumb_run(&lab->agent))
		assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	assert_int_equal(lab->fake.n_asked, 1);
	assert_int_equal(lab->fake.n_ears, 1);
	assert_int_equal(reason(lab, "a"), UNUSABLE_CLAIMING);
	settle(lab);
	assert_int_equal(lab->fake.n_asked, 3);
	assert_int_equal(lab->fake.n_announced, 3);
	assert_non_null(fake_kernel_has(&lab->fake, "192.0.2.1"));
	assert_int_equal(reason(lab, "a"), USABLE);
	assert_true(fake_kernel_holds(&lab->fake, &lab->agent.now->plan));
}

static void test_where_nobody_can_be_asked(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, "binding a { address 192.0.2.1; interface lo; }\n"), 0);
	assert_non_null(fake_kernel_has(&lab->fake, "192.0.2.1"));
	settle(lab);
	assert_int_equal(lab->fake.n_asked + lab->fake.n_announced + lab->fake.n_ears, 0);
	assert_int_equal(reason(lab, "a"), USABLE);
}

static void test_another_host_has_it(void **state)
{
	struct lab *lab = *state;

	fake_kernel_neighbour(&lab->fake, "192.0.2.1", 1);
	fake_kernel_neighbour(&lab->fake, "192.0.2.2", 2);	/* on another link: not ours to mind */
	assert_int_equal(lab_start(lab, AB), 0);
	settle(lab);
	assert_null(fake_kernel_has(&lab->fake, "192.0.2.1"));
	assert_non_null(fake_kernel_has(&lab->fake, "192.0.2.2"));
	assert_int_equal(reason(lab, "a"), UNUSABLE_DUPLICATE);
	assert_int_equal(reason(lab, "b"), USABLE);
	assert_int_equal(lab->agent.facts.conflicts.n, 1);
	assert_string_equal(lab->agent.facts.conflicts.at[0].by, "02:00:00:00:00:77");
	assert_int_equal(log_counts[EVENT_ADDRESS_DUPLICATE], 1);
}

static void test_claims_of_one_that_is_there(void **state)
{
	struct lab *lab = *state;
	struct heard heard = { .link = 1, .mac = { 2, 0, 0, 0, 0, 0x66 } };

	assert_int_equal(lab_start(lab, A), 0);
	settle(lab);
	assert_int_equal(ip_parse("192.0.2.1", &heard.ip), 0);
	heard.mac[5] = 1;			/* our own interface's */
	PUSH(&lab->fake.heard, heard);
	assert_false(plumb_run(&lab->agent));
	assert_int_equal(log_counts[EVENT_ADDRESS_CLAIMED], 0);
	heard.mac[5] = 0x66;
	PUSH(&lab->fake.heard, heard);		/* says so once, but does not answer */
	assert_false(plumb_run(&lab->agent));
	settle(lab);
	assert_int_equal(log_counts[EVENT_ADDRESS_CLAIMED], 1);
	assert_int_equal(log_counts[EVENT_ADDRESS_DUPLICATE], 0);
	assert_int_equal(reason(lab, "a"), USABLE);

	fake_kernel_neighbour(&lab->fake, "192.0.2.1", 1);
	PUSH(&lab->fake.heard, heard);
	settle(lab);				/* nothing is due: the ears are what wakes the agent */
	assert_false(plumb_run(&lab->agent));
	settle(lab);
	assert_int_equal(log_counts[EVENT_ADDRESS_DUPLICATE], 1);
	assert_int_equal(reason(lab, "a"), UNUSABLE_DUPLICATE);
	assert_non_null(fake_kernel_has(&lab->fake, "192.0.2.1"));
}

static void test_deleted_by_somebody(void **state)
{
	struct lab *lab = *state;
	unsigned commits;

	assert_int_equal(lab_start(lab, A), 0);
	settle(lab);
	commits = lab->fake.n_commits;
	fake_kernel_lose_address(&lab->fake, "192.0.2.1");
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	assert_non_null(fake_kernel_has(&lab->fake, "192.0.2.1"));
	assert_int_equal(lab->fake.n_commits, commits);		/* it was never unusable */
	assert_int_equal(log_counts[EVENT_ADDRESS_RESTORED], 1);
	fake_kernel_lose_address(&lab->fake, "192.0.2.1");
	lab->fake.fail_address = -EPERM;
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	assert_int_equal(log_counts[EVENT_ADDRESS_REFUSED], 1);
	assert_int_equal(reason(lab, "a"), UNUSABLE_ABSENT);
}

static void test_whose_it_is(void **state)
{
	struct lab *lab = *state;

	fake_kernel_address(&lab->fake, "192.0.2.2");
	snprintf(lab->fake.facts.addresses.at[0].interface, 16, "eth0");
	assert_int_equal(lab_start(lab, AB), 0);
	settle(lab);
	another_agent(lab, AB);
	settle(lab);
	assert_int_equal(log_counts[EVENT_ADDRESS_ADDED], 1);
	assert_int_equal(log_counts[EVENT_ADDRESS_RESTORED], 0);
	assert_int_equal(lab_reload(lab, "policy { }\n"), 0);
	assert_null(fake_kernel_has(&lab->fake, "192.0.2.1"));
	assert_non_null(fake_kernel_has(&lab->fake, "192.0.2.2"));
	assert_int_equal(log_counts[EVENT_ADDRESS_REMOVED], 1);
}

static void test_replaced_by_somebody(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, AB), 0);
	settle(lab);
	lab->fake.facts.addresses.at[0].protocol = 0;	/* 192.0.2.1: deleted and added by hand */
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	plumb_remove(&lab->agent);
	assert_non_null(fake_kernel_has(&lab->fake, "192.0.2.1"));
	assert_null(fake_kernel_has(&lab->fake, "192.0.2.2"));
}

static void test_moved_to_another_interface(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, A), 0);
	settle(lab);
	assert_int_equal(lab_reload(lab, "binding a { address 192.0.2.1; interface eth1; }\n"), 0);
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	settle(lab);
	assert_non_null(fake_kernel_has(&lab->fake, "192.0.2.1"));
	assert_string_equal(fake_kernel_has(&lab->fake, "192.0.2.1")->interface, "eth1");
	assert_int_equal(lab->fake.facts.addresses.n, 1);
}

static void test_full_disk(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_start(lab, "policy { }\n"), 0);
	assert_int_equal(lab_reload(lab, A), 0);	/* its number is written before the disk is full */
	lab->fail_step = STATE_RENAME;
	settle(lab);
	assert_null(fake_kernel_has(&lab->fake, "192.0.2.1"));
	assert_true(log_counts[EVENT_STATE_UNWRITABLE] >= 1);
	assert_int_equal(log_counts[EVENT_ADDRESS_ADDED], 0);
}

static void test_state_that_cannot_be_trusted(void **state)
{
	static const struct { const char *what, *text; unsigned complaints; } rows[] = {
		{ "another boot", "outbind-addresses 1\n00000000-0000 1\n192.0.2.1 eth0\n", 0 },
		{ "cut off in its head", "outbind-addr", 1 },
		{ "octets", "\x01\x02\x03", 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lab *lab;

		teardown(state);
		setup(state);
		lab = *state;
		fake_kernel_address(&lab->fake, "192.0.2.1");
		snprintf(lab->fake.facts.addresses.at[0].interface, 16, "eth0");
		assert_int_equal(state_write(&lab->state, STATE_ADDRESSES, rows[i].text,
					     strlen(rows[i].text)), 0);
		another_agent(lab, "policy { }\n");
		if (!fake_kernel_has(&lab->fake, "192.0.2.1") ||
		    log_counts[EVENT_STATE_UNREADABLE] != rows[i].complaints)
			fail_msg("%s: %u complaints, want %u; the address is %s", rows[i].what,
				 log_counts[EVENT_STATE_UNREADABLE], rows[i].complaints,
				 fake_kernel_has(&lab->fake, "192.0.2.1") ? "there" : "gone");
	}
}

static unsigned rules_of_ours(const struct lab *lab)
{
	unsigned n = 0;

	for (size_t i = 0; i < lab->fake.facts.fwmark_rules.n; i++)
		n += lab->fake.facts.fwmark_rules.at[i].protocol == PROTOCOL_OUTBIND;
	return n;
}

static struct route find_route(const struct lab *lab, uint8_t len, uint32_t metric)
{
	for (size_t i = 0; i < lab->fake.routes.n; i++)
		if (lab->fake.routes.at[i].to.ip.len == len &&
		    lab->fake.routes.at[i].metric == metric)
			return lab->fake.routes.at[i];
	fail_msg("no route of metric %u", metric);
	return (struct route){ 0 };
}

static void test_uplink(void **state)
{
	struct lab *lab = *state;
	struct route way;

	fake_kernel_address(&lab->fake, "192.0.2.1");
	assert_int_equal(lab_start(lab, FAR), 0);
	assert_int_equal(rules_of_ours(lab), 2);
	assert_int_equal(lab->fake.facts.fwmark_rules.at[0].mark.host,
			 lab->agent.now->plan.uplink_marks[0].host);
	assert_int_equal(lab->fake.routes.n, 3);	/* no IPv6 gateway: unreachable alone */
	way = find_route(lab, 4, 1024);
	assert_int_equal(way.link, 2);
	assert_int_equal(way.table, 7100);
	assert_true(find_route(lab, 4, UINT32_MAX).unreachable);
	assert_true(find_route(lab, 16, UINT32_MAX).unreachable);
	assert_false(lab->agent.facts.uplinks.at[0].no_route[FAMILY_IPV4]);
	assert_true(lab->agent.facts.uplinks.at[0].no_route[FAMILY_IPV6]);
	assert_int_equal(reason(lab, "a"), USABLE);

	another_agent(lab, FAR);
	assert_int_equal(log_counts[EVENT_UPLINK_MADE], 1);
	assert_int_equal(lab_reload(lab, "policy { }\n"), 0);
	assert_int_equal(rules_of_ours(lab), 0);
	assert_int_equal(lab->fake.routes.n, 0);
}

static void test_uplink_undone_by_others(void **state)
{
	struct lab *lab = *state;

	fake_kernel_address(&lab->fake, "192.0.2.1");
	assert_int_equal(lab_start(lab, FAR), 0);
	lab->fake.routes.n = 0;
	lab->fake.facts.fwmark_rules.n = 0;
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	assert_int_equal(rules_of_ours(lab), 2);
	assert_int_equal(lab->fake.routes.n, 3);
	assert_int_equal(log_counts[EVENT_UPLINK_RESTORED], 1);
	for (size_t i = 0; i < lab->fake.routes.n; i++)
		if (lab->fake.routes.at[i].metric == 1024)
			lab->fake.routes.at[i] = lab->fake.routes.at[--lab->fake.routes.n];
	lab->fake.fail_route = -ENETUNREACH;
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	assert_int_equal(reason(lab, "a"), UNUSABLE_NO_ROUTE);
	assert_int_equal(log_counts[EVENT_UPLINK_FAULT], 1);
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	assert_int_equal(reason(lab, "a"), USABLE);
	assert_int_equal(log_counts[EVENT_UPLINK_MENDED], 1);
}

/* A change that is refused, or only tried, leaves routes and rules as they are. */
static void test_uplink_of_a_refused_change(void **state)
{
	struct lab *lab = *state;

	fake_kernel_address(&lab->fake, "192.0.2.1");
	assert_int_equal(lab_start(lab, FAR), 0);
	lab->fake.fail_commit = -EPERM;
	assert_true(lab_reload(lab, "uplink isp2 { interface eth1; gateway 198.51.100.253; }\n"
				    "uplink isp3 { interface eth0; }\n"
				    "binding b { address 192.0.2.1; uplink isp3; }\n") < 0);
	assert_int_equal(rules_of_ours(lab), 2);
	assert_int_equal(find_route(lab, 4, 1024).gateway.octet[3], 254);
	assert_int_equal(lab->agent.facts.uplinks.n, 1);
	settle(lab);
	assert_int_equal(reason(lab, "a"), USABLE);
}

/* The kernel refuses the route only when the plan is compiled already: judged again at once. */
static void test_uplink_refused_late(void **state)
{
	struct lab *lab = *state;

	fake_kernel_address(&lab->fake, "192.0.2.1");
	assert_int_equal(lab_start(lab, "policy { }\n"), 0);
	fake_kernel_refuse_gateway(&lab->fake);
	assert_int_equal(lab_reload(lab, FAR), 0);
	settle(lab);
	assert_int_equal(reason(lab, "a"), UNUSABLE_NO_ROUTE);
	assert_false(plumb_run(&lab->agent));	/* and then it is known */
}

static void test_uplink_beside_others(void **state)
{
	struct route theirs = { .to.ip.len = 4, .table = 7100, .link = 1, .protocol = 4 };
	struct lab *lab = *state;

	PUSH(&lab->fake.routes, theirs);
	fake_kernel_address(&lab->fake, "192.0.2.1");
	assert_int_equal(lab_start(lab, FAR), 0);
	assert_int_equal(find_route(lab, 4, 1024).table, 7101);	/* 7100 is somebody's */
	plumb_remove(&lab->agent);
	assert_int_equal(lab->fake.routes.n, 1);
	assert_int_equal(rules_of_ours(lab), 0);
}

static void test_gateway(void **state)
{
	struct lab *lab = *state;

	fake_kernel_address(&lab->fake, "192.0.2.1");
	assert_int_equal(lab_start(lab, FAR), 0);
	lab->fake.gateways = NEIGHBOUR_SILENT;
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	assert_int_equal(reason(lab, "a"), UNUSABLE_GATEWAY);
	lab->fake.gateways = NEIGHBOUR_ASKED;	/* no answer yet: as it was */
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	assert_int_equal(reason(lab, "a"), UNUSABLE_GATEWAY);
	lab->fake.gateways = NEIGHBOUR_THERE;
	settle(lab);				/* it is asked every second */
	assert_int_equal(reason(lab, "a"), USABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_asked_for_then_added, setup, teardown),
		cmocka_unit_test_setup_teardown(test_where_nobody_can_be_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_host_has_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_claims_of_one_that_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deleted_by_somebody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whose_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replaced_by_somebody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moved_to_another_interface, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state_that_cannot_be_trusted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uplink, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uplink_undone_by_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uplink_of_a_refused_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uplink_refused_late, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uplink_beside_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gateway, setup, teardown),
	};

	return cmocka_run_group_tests_name("agent_plumb", tests, NULL, NULL);
}
