/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Since when bindings are usable, and one event for each change: agent, health and monitor whole. */
#include "agent_lab.h"
#include "daemon/health.h"
#include "daemon/log.h"
#include "daemon/monitor.h"
#include "daemon/suspend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define CONF	"binding acme { address 192.0.2.1; }\nbinding beta { address 192.0.2.2; }\n"

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);

	lab_init(lab);
	memset(log_counts, 0, sizeof log_counts);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	lab_drop(*state);
	free(*state);
	return 0;
}

/* Health events, so far and since the last time. */
static void expect(unsigned unusable, unsigned usable, unsigned more)
{
	assert_int_equal(log_counts[EVENT_BINDING_UNUSABLE], unusable);
	assert_int_equal(log_counts[EVENT_BINDING_USABLE], usable);
	assert_int_equal(log_counts[EVENT_BINDING_MORE], more);
	log_counts[EVENT_BINDING_UNUSABLE] = log_counts[EVENT_BINDING_USABLE] = 0;
	log_counts[EVENT_BINDING_MORE] = 0;
}

static struct health_entry entry_of(const struct lab *lab, const char *name)
{
	return health_of(&lab->agent, model_find(&lab->agent.now->model, name), FAMILY_IPV4);
}

static void test_changes(void **state)
{
	struct lab *lab = *state;
	int64_t since;

	fake_kernel_address(&lab->fake, "192.0.2.1");
	assert_int_equal(lab_start(lab, CONF), 0);
	expect(1, 0, 0);			/* beta has no address from the start */
	assert_int_equal(entry_of(lab, "acme").state, HEALTH_USABLE);
	assert_int_equal(entry_of(lab, "beta").state, HEALTH_UNUSABLE);
	assert_int_equal(health_of(&lab->agent, 0, FAMILY_IPV6).state, HEALTH_NONE);
	since = entry_of(lab, "acme").since_ms;
	assert_true(since > 0);
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	expect(0, 0, 0);			/* nothing changed */
	usleep(3000);
	fake_kernel_no_addresses(&lab->fake);
	fake_kernel_address(&lab->fake, "192.0.2.2");
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	expect(1, 1, 0);
	assert_true(entry_of(lab, "acme").since_ms > since);
	assert_int_equal(entry_of(lab, "acme").state, HEALTH_UNUSABLE);
}

/* The state goes with the name, wherever the binding stands in the new text. */
static void test_reload(void **state)
{
	struct lab *lab = *state;
	int64_t acme, beta;

	fake_kernel_address(&lab->fake, "192.0.2.1");
	assert_int_equal(lab_start(lab, CONF), 0);
	acme = entry_of(lab, "acme").since_ms;
	beta = entry_of(lab, "beta").since_ms;
	expect(1, 0, 0);
	usleep(3000);
	assert_int_equal(lab_reload(lab, "binding new { address 192.0.2.3; }\n"
					 "binding beta { address 192.0.2.2; }\n"
					 "binding acme { address 192.0.2.1; }\n"), 0);
	expect(1, 0, 0);			/* new, which has no address */
	assert_int_equal(entry_of(lab, "acme").since_ms, acme);
	assert_int_equal(entry_of(lab, "beta").since_ms, beta);
	assert_true(entry_of(lab, "new").since_ms > acme);
	assert_int_equal(lab_reload(lab, "binding beta { address 192.0.2.2; }\n"), 0);
	expect(0, 0, 0);			/* who is gone is not unusable */
	assert_int_equal(entry_of(lab, "beta").since_ms, beta);
}

static void test_events(void **state)
{
	struct lab *lab = *state;
	uint64_t position, dropped;
	const struct monitor_event *event;
	unsigned seen = 0;

	fake_kernel_address(&lab->fake, "192.0.2.1");
	assert_int_equal(lab_start(lab, CONF "binding gamma { address 192.0.2.9; unusable use acme; }\n"), 0);
	position = monitor_join(lab->monitor);
	fake_kernel_no_addresses(&lab->fake);
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	while ((event = monitor_next(lab->monitor, &position, &dropped))) {
		if (event->event != EVENT_BINDING_UNUSABLE)
			continue;
		seen++;
		assert_non_null(strstr(event->fields, "family=ipv4 reason=\"192.0.2."));
		assert_non_null(strstr(event->fields, "next=\"refused\""));
	}
	assert_int_equal(seen, 2);		/* acme, and gamma that it stood in for */
	fake_kernel_address(&lab->fake, "192.0.2.1");
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	seen = 0;
	while ((event = monitor_next(lab->monitor, &position, &dropped)))
		if (event->event == EVENT_BINDING_UNUSABLE) {
			seen++;
			assert_non_null(strstr(event->fields,
					       "reason=\"192.0.2.9 is not on this host; acme stands in\""));
			assert_non_null(strstr(event->fields, "next=\"new connections leave by acme\""));
		}
	assert_int_equal(seen, 1);
	monitor_leave(lab->monitor);
}

/* More than a hundred at once: a hundred events and the number of the rest. */
static void test_many(void **state)
{
	struct lab *lab = *state;
	char conf[16 * 1024] = "", ip[32];
	size_t len = 0;

	for (int i = 0; i < 250; i++) {
		len += (size_t)snprintf(conf + len, sizeof conf - len,
					"binding b%d { address 192.0.2.%d; }\n", i, i + 1);
		snprintf(ip, sizeof ip, "192.0.2.%d", i + 1);
		fake_kernel_address(&lab->fake, ip);
	}
	assert_int_equal(lab_start(lab, conf), 0);
	expect(0, 0, 0);
	fake_kernel_no_addresses(&lab->fake);
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	expect(HEALTH_EVENTS_MAX, 0, 1);
	for (int i = 0; i < 30; i++) {
		snprintf(ip, sizeof ip, "192.0.2.%d", i + 1);
		fake_kernel_address(&lab->fake, ip);
	}
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	expect(0, 30, 0);
}

/* One binding at a time gives the same answer as all, and no second event. */
static void test_one(void **state)
{
	struct lab *lab = *state;

	fake_kernel_address(&lab->fake, "192.0.2.1");
	fake_kernel_address(&lab->fake, "192.0.2.2");
	assert_int_equal(lab_start(lab, CONF), 0);
	health_binding(&lab->agent, 0);
	expect(0, 0, 0);
	fake_kernel_no_addresses(&lab->fake);
	assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
	health_binding(&lab->agent, 0);
	expect(2, 0, 0);
}

/* Suspended since it was said, and so is what follows; not since what was before. */
static void suspend(struct lab *lab, bool on)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	uint32_t acme = model_find(&lab->agent.now->model, "acme");

	usleep(3000);
	assert_int_equal(suspend_binding(&lab->agent, acme, on, &out), 0);
}

static void test_suspended(void **state)
{
	static const char *const confs[] = {
		CONF, CONF "binding gamma { address 192.0.2.9; unusable use acme; }\n",
	};
	struct lab *lab = *state;
	int64_t was, suspended;

	fake_kernel_address(&lab->fake, "192.0.2.1");
	assert_int_equal(lab_start(lab, confs[0]), 0);
	for (size_t i = 0; i < ARRAY_LEN(confs); i++) {	/* in place; with all compiled anew */
		assert_int_equal(lab_reload(lab, confs[i]), 0);
		was = health_since(entry_of(lab, "acme"));
		suspend(lab, true);
		suspended = health_since(entry_of(lab, "acme"));
		assert_true(suspended > was);
		assert_int_equal(agent_refresh(&lab->agent, FACTS_KERNEL), 0);
		assert_int_equal(lab_reload(lab, confs[i]), 0);
		assert_int_equal(health_since(entry_of(lab, "acme")), suspended);
		suspend(lab, false);
		assert_true(health_since(entry_of(lab, "acme")) > suspended);
		assert_int_equal(entry_of(lab, "acme").state, HEALTH_USABLE);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_suspended, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
