/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pool of ports is the tighter one, how long it lasts and what helps; and when that is told. */
#include "agent_lab.h"
#include "daemon/capacity.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define HOST	"192.0.2.1"
#define CONF	"binding a { address 192.0.2.2; }\nbinding b { address 192.0.2.3; }\n"

static int setup(void **state)
{
	return lab_setup(state, HOST " 192.0.2.2 192.0.2.3", CONF);
}

/* @n connections of @mark to 203.0.113.1 port 25. */
static void fill(struct census *census, uint32_t mark, const char *from, const char *source,
		 unsigned n)
{
	struct connection c = { .mark = { mark }, .state = "ESTABLISHED", .alive = true,
				.protocol = PROTOCOL_TCP, .to_port = 25 };

	assert_int_equal(ip_parse(from, &c.from), 0);
	assert_int_equal(ip_parse(source, &c.source), 0);
	assert_int_equal(ip_parse("203.0.113.1", &c.to), 0);
	for (unsigned i = 0; i < n; i++)
		census_add(census, &c, (struct fwmark){ 0x1fff });
}

static const struct {
	const char *what, *from, *source;
	unsigned n, others, ports;
	unsigned taken, available;
	enum capacity_help help;
	bool outside;
} rows[] = {
	{ "few", HOST, "192.0.2.2", 10, 0, 100, 10, 100, HELP_NONE, false },
	{ "a narrow range", HOST, "192.0.2.2", 80, 0, 100, 80, 100, HELP_RANGE, false },
	{ "others have the rest", HOST, "192.0.2.2", 10, 75, 100, 85, 100, HELP_RANGE, false },
	{ "a range that is wide", HOST, "192.0.2.2", 60000, 0, 64000, 60000, 64000, HELP_BIND,
	  false },
	{ "a socket that is bound", "192.0.2.2", "192.0.2.2", 60000, 0, 64000, 60000, 64000,
	  HELP_ADDRESS, false },
	{ "who is forwarded", "10.0.0.9", "192.0.2.2", 60000, 0, 100, 60000, CENSUS_SNAT_PORTS,
	  HELP_ADDRESS, true },
	{ "a few that are forwarded", "10.0.0.9", "192.0.2.2", 100, 0, 100, 100,
	  CENSUS_SNAT_PORTS, HELP_NONE, true },
};

static void test_judge(void **state)
{
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_settings settings = { .n_ports = rows[i].ports };
		struct port_supply supply = { &settings, &lab->agent.facts, 80 };
		struct census census = { .serial = 1 };
		struct port_use use;

		fill(&census, 1, rows[i].from, rows[i].source, rows[i].n);
		fill(&census, 2, rows[i].from, "192.0.2.3", rows[i].others);
		use = capacity_judge(&census, &census.uses.at[0], &supply);
		if (use.taken != rows[i].taken || use.available != rows[i].available ||
		    use.help != rows[i].help || use.pool.outside != rows[i].outside ||
		    use.mine != rows[i].n)
			fail_msg("%s: %u of %u, %u mine, help %d", rows[i].what, use.taken,
				 use.available, use.mine, use.help);
		supply.warning = 0;
		assert_int_equal(capacity_judge(&census, &census.uses.at[0], &supply).help,
				 HELP_NONE);
		census_drop(&census);
	}
}

static void test_rate(void **state)
{
	struct lab *lab = *state;
	struct net_settings settings = { .n_ports = 100 };
	struct port_supply supply = { &settings, &lab->agent.facts, 80 };
	struct census before = { .serial = 1, .when = 5000000 };
	struct census now = { .serial = 2, .when = 15000000 };
	struct census fewer = { .serial = 2, .when = 15000000 };
	struct port_use use;

	fill(&before, 1, HOST, "192.0.2.2", 20);
	fill(&fewer, 1, HOST, "192.0.2.2", 10);
	fill(&now, 1, HOST, "192.0.2.2", 40);
	use = capacity_judge(&now, &now.uses.at[0], &supply);
	assert_true(isnan(use.per_second));
	capacity_rate(&use, &now, NULL);
	assert_true(isnan(use.exhausted_in));
	capacity_rate(&use, &now, &before);
	assert_true(fabs(use.per_second - 2) < 1e-9);
	assert_true(fabs(use.exhausted_in - 30) < 1e-9);
	capacity_rate(&use, &now, &now);	/* no time between them */
	assert_true(isnan(use.per_second));
	use.taken = 10;				/* fewer than before */
	capacity_rate(&use, &fewer, &before);
	assert_true(isinf(use.exhausted_in));
	use.taken = 10;				/* counted by the kernel: the censuses say how fast */
	capacity_rate(&use, &now, &before);
	assert_true(fabs(use.per_second - 2) < 1e-9);
	assert_true(fabs(use.exhausted_in - 45) < 1e-9);
	use.taken = 100;
	capacity_rate(&use, &now, &before);
	assert_true(use.exhausted_in < 1e-9);
	census_drop(&before);
	census_drop(&now);
	census_drop(&fewer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_judge, setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_rate, setup, lab_teardown),
	};

	return cmocka_run_group_tests_name("capacity", tests, NULL, NULL);
}
