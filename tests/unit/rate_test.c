/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Token buckets: bursts, the rate after them, and more users than there are buckets. */
#include "daemon/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static const struct rate_limit limit = { .per_second = 10, .burst = 5 };
static struct rates rates;

static unsigned take_many(uid_t uid, unsigned n, uint64_t now)
{
	unsigned got = 0;

	while (n-- > 0)
		got += rate_take(&rates, limit, uid, now);
	return got;
}

static int reset(void **state)
{
	(void)state;
	rates = (struct rates){ 0 };
	return 0;
}

static void test_burst_then_rate(void **state)
{
	uint64_t now = 1000000000;

	(void)state;
	assert_int_equal(take_many(1, 100, now), 5);
	assert_int_equal(take_many(1, 100, now + 99999), 0);
	assert_int_equal(take_many(1, 100, now + 100000), 1);
	assert_int_equal(take_many(1, 100, now + 400000), 3);
	assert_int_equal(take_many(1, 100, now + 100000000), 5);	/* and no more for the long rest */
}

static void test_users_apart(void **state)
{
	uint64_t now = 5;

	(void)state;
	assert_int_equal(take_many(1, 100, now), 5);
	assert_int_equal(take_many(2, 100, now), 5);
	assert_int_equal(take_many(1, 1, now), 0);
}

/* However many users there are, one that has just asked too often is not forgotten for others that have not. */
static void test_more_users_than_buckets(void **state)
{
	uint64_t now = 7;

	(void)state;
	assert_int_equal(take_many(999999, 100, now), 5);
	for (uid_t uid = 1; uid < 5000; uid++)
		assert_int_equal(take_many(uid, 1, now), 1);
	assert_int_equal(take_many(999999, 1, now), 0);
}

static void test_owes(void **state)
{
	uint64_t now = 1000000000;

	(void)state;
	assert_int_equal(take_many(1, 1, now), 1);
	rate_owe(&rates, limit, 1, now, 14);		/* 15 of a burst of 5, 10 a second */
	assert_int_equal(take_many(1, 1, now + 1000000), 0);
	assert_int_equal(take_many(1, 100, now + 1100000), 1);
	assert_int_equal(take_many(2, 100, now), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_burst_then_rate, reset),
		cmocka_unit_test_setup(test_users_apart, reset),
		cmocka_unit_test_setup(test_owes, reset),
		cmocka_unit_test_setup(test_more_users_than_buckets, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
