/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peers_mapped(): texts of /proc/self/uid_map as user_namespaces(7) and systemd.exec(5) have them. */
#include "relay/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *what, *map;
	bool want;
} maps[] = {
	{ "the host's namespace", "         0          0 4294967295\n", true },
	{ "PrivateUsers=yes of a user", "         0          0          1\n       995        995          1\n",
	  false },
	{ "PrivateUsers=yes of root", "         0          0          1\n", false },
	{ "a container without root", "         0       1000          1\n         1     100000      65536\n", true },
	{ "a container with a range", "         0     100000      65536\n", true },
	{ "nothing", "", false },
	{ "no numbers", "x\n\n0 0\n", false },
};

static void test_maps(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
		if (peers_mapped(maps[i].map) != maps[i].want)
			fail_msg("%s: got %d, want %d", maps[i].what, !maps[i].want, maps[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_maps) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
