/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of a command line that are numbers, hosts and ports; and sentences that have too little room. */
#include "../../ctl/host_port.h"
#include "../../ctl/identity.h"
#include "../../ctl/number.h"
#include "../../ctl/say.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <string.h>

static void test_numbers(void **state)
{
	static const struct { const char *text; long long high, want; } rows[] = {
		{ "1", 9, 1 }, { "9", 9, 9 }, { "007", 9, 7 }, { "9223372036854775807", LLONG_MAX, LLONG_MAX },
		{ "0", 9, -1 }, { "10", 9, -1 }, { "9223372036854775808", LLONG_MAX, -1 },
		{ "", 9, -1 }, { "+1", 9, -1 }, { "-1", 9, -1 }, { " 1", 9, -1 }, { "1 ", 9, -1 },
		{ "0x1", 9, -1 }, { "1s", 9, -1 }, { "\xc2\xb2", 9, -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		long long got = -1;

		print_message("'%s'\n", rows[i].text);
		assert_int_equal(number_read(rows[i].text, 1, rows[i].high, &got),
				 rows[i].want >= 0);
		assert_int_equal(got, rows[i].want);
	}
}

static void test_hosts_and_ports(void **state)
{
	static const struct { const char *text, *host, *port; } rows[] = {
		{ "host", "host", NULL }, { "host:25", "host", "25" }, { "host:", "host", "" },
		{ ":25", "", "25" }, { "", "", NULL },
		{ "2001:db8::1", "2001:db8::1", NULL }, { "::", "::", NULL },
		{ "[2001:db8::1]", "2001:db8::1", NULL }, { "[2001:db8::1]:25", "2001:db8::1", "25" },
		{ "[2001:db8::/32]:25", "2001:db8::/32", "25" }, { "[]:", "", "" },
		{ "[2001:db8::1", NULL, NULL }, { "[2001:db8::1]25", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct host_port got;

		print_message("'%s'\n", rows[i].text);
		assert_int_equal(host_port_split(rows[i].text, &got), rows[i].host != NULL);
		if (!rows[i].host)
			continue;
		assert_int_equal(got.len, strlen(rows[i].host));
		assert_memory_equal(got.host, rows[i].host, got.len);
		assert_int_equal(got.port != NULL, rows[i].port != NULL);
		if (rows[i].port)
			assert_string_equal(got.port, rows[i].port);
	}
}

static void test_printed(void **state)
{
	char text[HOST_PORT_TEXT];

	(void)state;
	assert_string_equal(host_port_print("192.0.2.1", 25, text), "192.0.2.1:25");
	assert_string_equal(host_port_print("2001:db8::1", 65535, text), "[2001:db8::1]:65535");
}

static void test_resolvers(void **state)
{
	static const struct { const char *text; int port; } rows[] = {
		{ "192.0.2.53", 0 }, { "192.0.2.53:5353", 5353 }, { "2001:db8::53", 0 },
		{ "[2001:db8::53]:5353", 5353 }, { "[2001:db8::53]", 0 }, { "[2001:db8::ab]", 0 },
		{ "", -1 }, { "192.0.2.53:", -1 }, { "192.0.2.53:0", -1 }, { "192.0.2.53:65536", -1 },
		{ "192.0.2.53:53x", -1 }, { "192.0.2", -1 }, { "ns.example.org:53", -1 },
		{ "[2001:db8::53", -1 }, { "[2001:db8::53]53", -1 },
		{ "192.0.2.53 is what the one at the desk by the door said:53", -1 },
	};
	FILE *nowhere = fopen("/dev/null", "we");
	struct ctl ctl = { .err = nowhere };

	(void)state;
	assert_non_null(nowhere);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct identity_list list = { 0 };

		print_message("'%s'\n", rows[i].text);
		assert_int_equal(identity_list_resolver(&ctl, rows[i].text, &list),
				 rows[i].port < 0 ? CTL_USAGE : CTL_DONE);
		if (rows[i].port >= 0)
			assert_int_equal(list.port, rows[i].port);
	}
	(void)fclose(nowhere);
}

static void test_sentences_are_cut(void **state)
{
	char text[8] = "";
	struct says says = { text, 0, sizeof text };

	(void)state;
	say(&says, "%s", "abc");
	say(&says, "%d", 4567);
	assert_string_equal(text, "abc4567");
	say(&says, "%s", "no room");
	assert_string_equal(text, "abc4567");
	says.n = 0;
	say(&says, "%s", "longer than that");
	assert_string_equal(text, "longer ");
	assert_int_equal(says.n, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_hosts_and_ports),
		cmocka_unit_test(test_printed),
		cmocka_unit_test(test_resolvers),
		cmocka_unit_test(test_sentences_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
