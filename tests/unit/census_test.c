/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The census: pools and uses, live connections, bounded memory; and the settings it goes by. */
#include "daemon/census.h"
#include "kernel/net_settings.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct fwmark mask = { 0x1fff };

static struct connection connection(uint32_t mark, const char *from, const char *source,
				    const char *to, uint16_t to_port)
{
	struct connection c = { .mark = { mark }, .state = "ESTABLISHED", .alive = true,
				.protocol = IPPROTO_TCP, .to_port = to_port };

	assert_int_equal(ip_parse(from, &c.from), 0);
	assert_int_equal(ip_parse(source, &c.source), 0);
	assert_int_equal(ip_parse(to, &c.to), 0);
	return c;
}

static const struct census_pool *pool(const struct census *census, const char *source,
				      const char *to, uint16_t port, bool outside)
{
	struct census_pool like = { .to_port = port, .protocol = IPPROTO_TCP, .outside = outside };

	assert_int_equal(ip_parse(source, &like.source), 0);
	assert_int_equal(ip_parse(to, &like.to), 0);
	return census_pool(census, &like);
}

static void test_pools(void **state)
{
	struct census census = { .salt = 1 };
	struct connection a = connection(1, "10.0.0.1", "192.0.2.1", "203.0.113.1", 25);
	struct connection b = connection(0x80002, "10.0.0.1", "192.0.2.2", "203.0.113.1", 25);
	struct connection none = connection(0, "10.0.0.1", "10.0.0.1", "203.0.113.1", 25);

	(void)state;
	for (int i = 0; i < 3; i++)
		census_add(&census, &a, mask);
	census_add(&census, &b, mask);
	census_add(&census, &none, mask);
	a.state = "TIME_WAIT";
	a.alive = false;
	census_add(&census, &a, mask);
	a.state = "CLOSE";
	census_add(&census, &a, mask);
	a.protocol = IPPROTO_ICMP;		/* has no ports */
	census_add(&census, &a, mask);
	assert_int_equal(census.entries, 8);
	assert_int_equal(pool(&census, "10.0.0.1", "203.0.113.1", 25, false)->live, 5);
	assert_int_equal(pool(&census, "10.0.0.1", "203.0.113.1", 25, false)->closing, 1);
	assert_int_equal(census_taken(pool(&census, "192.0.2.1", "203.0.113.1", 25, true)), 4);
	assert_int_equal(census_taken(pool(&census, "192.0.2.2", "203.0.113.1", 25, true)), 1);
	assert_null(pool(&census, "192.0.2.2", "203.0.113.1", 26, true));
	assert_int_equal(census.uses.n, 3);
	assert_int_equal(census_of(&census, (struct fwmark){ 1 })->n[FAMILY_IPV4], 3);
	assert_int_equal(census_of(&census, (struct fwmark){ 2 })->n[FAMILY_IPV4], 1);
	assert_null(census_of(&census, (struct fwmark){ 3 }));
	census_drop(&census);
}

/* A crowd of destinations with a port each does not push out the one that matters. */
static void test_bounded(void **state)
{
	struct census census = { .salt = 2 };
	struct connection many = connection(1, "10.0.0.1", "192.0.2.1", "203.0.113.1", 25);
	struct connection busy = connection(2, "10.0.0.1", "192.0.2.2", "203.0.113.9", 25);
	uint32_t found = 0;

	(void)state;
	for (uint32_t i = 0; i < 4 * CENSUS_USES; i++) {
		memcpy(many.to.octet, &i, 4);
		census_add(&census, &many, mask);
		if (i % 16 == 0)
			census_add(&census, &busy, mask);
	}
	assert_true(census.uses.n <= CENSUS_USES);
	assert_true(census.pools.n <= 2 * CENSUS_USES);
	for (size_t i = 0; i < census.uses.n; i++)
		if (census.uses.at[i].mark == 2)
			found = census.uses.at[i].live;
	assert_in_range(found, 4 * CENSUS_USES / 16 - census.slack, 4 * CENSUS_USES / 16);
	assert_true(census.slack < 64);
	assert_int_equal(pool(&census, "10.0.0.1", "203.0.113.9", 25, false)->live,
			 4 * CENSUS_USES / 16);
	census_drop(&census);
}

static void test_ports(void **state)
{
	static const struct {
		const char *what, *range, *reserved;
		uint32_t want;
	} rows[] = {
		{ "the default", "32768\t60999\n", "\n", 28232 },
		{ "one reserved", "32768 60999", "40000", 28231 },
		{ "ranges, partly outside", "40000 40009", "1-100,39990-40001,40005,40008-50000", 5 },
		{ "all of them", "40000 40009", "40000-40009", 0 },
		{ "one port", "40000 40000", "", 1 },
		{ "not a range", "x", "", 0 },
		{ "turned round", "50000 40000", "", 0 },
		{ "too high", "1 70000", "", 0 },
		{ "rubbish behind", "40000 40009", "40001-,x", 10 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct port_range range;
		uint32_t got = net_settings_ports(rows[i].range, rows[i].reserved, &range);

		if (got != rows[i].want)
			fail_msg("%s: got %u, want %u", rows[i].what, got, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests_name("census", tests, NULL, NULL);
}
