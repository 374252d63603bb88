/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which sources are a binding's own, were, or are wrong; and the alarm's count, rate and words. */
#include "agent_lab.h"
#include "daemon/alarm.h"
#include "daemon/log.h"
#include "daemon/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define ADDRESSES "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.9 2001:db8::1"
#define POLICY	"policy { user 1001 use a; user 1002 use b; }"
#define CONF	"binding a { address 192.0.2.1, 192.0.2.2, 2001:db8::1; }\n" \
		"binding b { address 192.0.2.3; unusable use a; }\n" \
		"binding c { address 198.51.100.0/28 routed; }\n" POLICY

static int setup(void **state)
{
	return lab_setup(state, ADDRESSES, CONF);
}

static struct connection connection(uint32_t mark, const char *source)
{
	struct connection c = { .mark = { mark }, .state = "", .alive = true, .id = 7 };

	assert_int_equal(ip_parse(source, &c.source), 0);
	c.from = c.to = c.source;
	return c;
}

static void check_verdict(struct lab *lab, const char *what, uint32_t mark, const char *source,
			  enum source_verdict want)
{
	struct connection c = connection(mark, source);
	enum source_verdict got = sources_judge(&lab->agent, &c);

	if (got != want)
		fail_msg("%s: got %s, want %s", what, sources_word(got), sources_word(want));
}

static void test_judge(void **state)
{
	struct lab *lab = *state;
	const struct plan *plan = &lab->agent.now->plan;
	uint32_t a = lab_mark(lab, "a"), b = lab_mark(lab, "b"), c = lab_mark(lab, "c");
	const struct {
		const char *what;
		uint32_t mark;
		const char *source;
		enum source_verdict want;
	} rows[] = {
		{ "the first", a, "192.0.2.1", SOURCE_OWN },
		{ "the second", a, "192.0.2.2", SOURCE_OWN },
		{ "IPv6", a, "2001:db8::1", SOURCE_OWN },
		{ "another binding's", a, "192.0.2.3", SOURCE_WRONG },
		{ "nobody's", a, "192.0.2.9", SOURCE_WRONG },
		{ "IPv6, nobody's", a, "2001:db8::2", SOURCE_WRONG },
		{ "others' bits beside ours", a | 0x80000000, "192.0.2.1", SOURCE_OWN },
		{ "in a routed prefix", c, "198.51.100.15", SOURCE_OWN },
		{ "just outside of it", c, "198.51.100.16", SOURCE_WRONG },
		{ "the other's own", b, "192.0.2.3", SOURCE_OWN },
		{ "a number of nobody", 0x1000, "192.0.2.1", SOURCE_NOBODYS },
		{ "no number", 0x80000000, "192.0.2.1", SOURCE_UNBOUND },
		{ "that of pass", plan->pass.host, "192.0.2.1", SOURCE_UNBOUND },
		{ "that of reject", plan->reject.host, "192.0.2.1", SOURCE_UNBOUND },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_verdict(lab, rows[i].what, rows[i].mark, rows[i].source, rows[i].want);
}

static void test_intended(void **state)
{
	struct lab *lab = *state;
	struct prefix got[4];
	char text[PREFIX_TEXT];

	assert_int_equal(sources_intended(&lab->agent.now->plan,
					  (struct fwmark){ lab_mark(lab, "a") }, FAMILY_IPV4, got,
					  1), 2);
	assert_string_equal(prefix_print(&got[0], text), "192.0.2.1");
	assert_int_equal(sources_intended(&lab->agent.now->plan,
					  (struct fwmark){ lab_mark(lab, "c") }, FAMILY_IPV4, got,
					  4), 1);
	assert_string_equal(prefix_print(&got[0], text), "198.51.100.0/28");
	assert_int_equal(sources_intended(&lab->agent.now->plan,
					  (struct fwmark){ lab_mark(lab, "c") }, FAMILY_IPV6, got,
					  4), 0);
}

static void test_changes(void **state)
{
	static const uint32_t ids[] = { 3, 7, 9 };
	struct lab *lab = *state;
	uint32_t a = lab_mark(lab, "a"), b = lab_mark(lab, "b");

	assert_int_equal(lab_reload(lab, "binding a { address 192.0.2.1; }\n"
				    "binding b { address 192.0.2.3; unusable use a; }\n" POLICY),
			 0);
	check_verdict(lab, "what was taken away", a, "192.0.2.2", SOURCE_FORMER);
	check_verdict(lab, "IPv6, too", a, "2001:db8::1", SOURCE_FORMER);
	check_verdict(lab, "what it never had", a, "192.0.2.3", SOURCE_WRONG);
	fake_kernel_lose_address(&lab->fake, "192.0.2.3");
	(void)agent_refresh(&lab->agent, FACTS_KERNEL);
	check_verdict(lab, "of who stands in", b, "192.0.2.1", SOURCE_OWN);
	check_verdict(lab, "its own meanwhile", b, "192.0.2.3", SOURCE_FORMER);
	sources_know(&lab->agent, ids, ARRAY_LEN(ids));
	check_verdict(lab, "from before the agent", a, "192.0.2.9", SOURCE_FORMER);
	assert_int_equal(lab_reload(lab, "binding b { address 192.0.2.3; }"), 0);
	check_verdict(lab, "of a binding that is gone", a, "192.0.2.1", SOURCE_FORMER);
}

static void test_alarm_rate(void **state)
{
	struct lab *lab = *state;
	unsigned before = log_counts[EVENT_SOURCE_WRONG];
	uint32_t a = lab_mark(lab, "a");
	struct connection c = connection(a, "192.0.2.9");

	for (int i = 0; i < 1000; i++) {
		c.id++;
		alarm_wrong(&lab->agent, &c);
		alarm_wrong(&lab->agent, &c);	/* the same one, seen again */
	}
	assert_int_equal(log_counts[EVENT_SOURCE_WRONG] - before, 1);
	for (int i = 0; i < 200; i++) {
		c.id++;
		c.source.octet[3] = (uint8_t)(10 + i);
		alarm_wrong(&lab->agent, &c);
	}
	assert_int_equal(log_counts[EVENT_SOURCE_WRONG] - before, ALARMS_AT_ONCE);
	assert_int_equal(lab->agent.alarm->wrong, 1200);
}

static void test_guard(void **state)
{
	struct lab *lab = *state;
	struct stray stray = { { lab_mark(lab, "a") }, { .len = 0 } };
	unsigned before = log_counts[EVENT_SOURCE_REFUSED];

	assert_int_equal(ip_parse("192.0.2.9", &stray.source), 0);
	alarm_look(&lab->agent);		/* what was before is not ours to tell */
	assert_int_equal(log_counts[EVENT_SOURCE_REFUSED] - before, 0);
	lab->fake.dropped_guard = 5;
	lab->fake.strays.at = calloc(1, sizeof stray);
	lab->fake.strays.at[0] = stray;
	lab->fake.strays.n = 1;
	alarm_look(&lab->agent);
	alarm_look(&lab->agent);
	assert_int_equal(log_counts[EVENT_SOURCE_REFUSED] - before, 1);
	assert_int_equal(lab->agent.alarm->refused, 5);
	lab->fake.dropped_guard = (uint64_t)-2;	/* a new table, which has counted 2 so far */
	alarm_look(&lab->agent);
	assert_int_equal(lab->agent.alarm->refused, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_judge, setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_intended, setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_changes, setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_alarm_rate, setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_guard, setup, lab_teardown),
	};

	return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
