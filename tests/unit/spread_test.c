/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slots as the kernel computes them, and addresses that stay when others come and go. */
#include "plan/spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Read back from Linux 6.18: `meta mark set jhash ip daddr mod 64 seed 0x6f757462` in an output
 * chain, and `add @seen { ip daddr . meta mark }`; the same for ip6. */
static const struct { const char *to; uint32_t want; } slots[] = {
	{ "192.0.2.1", 14 }, { "198.51.100.7", 31 }, { "8.8.8.8", 27 }, { "203.0.113.255", 11 },
	{ "1.2.3.4", 23 }, { "100.100.100.100", 25 }, { "2001:db8::7", 63 },
	{ "2606:4700::1111", 59 }, { "fd00::1", 11 }, { "2a00:1450:4001::200e", 46 },
	{ "2001:4860:4860::8888", 23 },
};

static void test_slots(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
		struct ip ip;

		assert_int_equal(ip_parse(slots[i].to, &ip), 0);
		if (spread_slot(&ip) != slots[i].want)
			fail_msg("%s: got slot %u, want %u", slots[i].to, spread_slot(&ip),
				 slots[i].want);
	}
}

static void number_addresses(struct ip *ips, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ips[i] = (struct ip){ .octet = { 192, 0, 2, (uint8_t)(i + 1) }, .len = 4 };
}

static void test_every_address_has_slots(void **unused)
{
	unsigned count[8] = { 0 };
	struct ip ips[8];

	(void)unused;
	number_addresses(ips, 8);
	for (uint32_t slot = 0; slot < SPREAD_SLOTS; slot++)
		count[spread_choose(ips, 8, slot)]++;
	for (size_t i = 0; i < 8; i++)
		assert_in_range(count[i], 2, 18);
}

static void test_removal_moves_only_its_own(void **unused)
{
	struct ip all[8], less[7];

	(void)unused;
	number_addresses(all, 8);
	for (size_t gone = 0; gone < 8; gone++) {
		memcpy(less, all, gone * sizeof *all);
		memcpy(less + gone, all + gone + 1, (7 - gone) * sizeof *all);
		for (uint32_t slot = 0; slot < SPREAD_SLOTS; slot++) {
			const struct ip *before = &all[spread_choose(all, 8, slot)];

			if (!ip_equal(before, &all[gone]))
				assert_true(ip_equal(before, &less[spread_choose(less, 7, slot)]));
		}
	}
}

static void test_order_does_not_count(void **unused)
{
	struct ip up[8], down[8];

	(void)unused;
	number_addresses(up, 8);
	for (size_t i = 0; i < 8; i++)
		down[i] = up[7 - i];
	for (uint32_t slot = 0; slot < SPREAD_SLOTS; slot++)
		assert_int_equal(spread_choose(up, 8, slot), 7 - spread_choose(down, 8, slot));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_every_address_has_slots),
		cmocka_unit_test(test_removal_moves_only_its_own),
		cmocka_unit_test(test_order_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
