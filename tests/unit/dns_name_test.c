/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of DNS, names that look generic, and messages as they come over the network. */
#include "base/mem.h"
#include "dns/dns_generic.h"
#include "dns/dns_message.h"
#include "dns/dns_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

static void test_reverse(void **state)
{
	struct ip four = ip_of("192.0.2.11"), six = ip_of("2001:db8::11");
	char name[DNS_NAME], zone[DNS_NAME];

	(void)state;
	dns_name_of_ip(&four, name);
	assert_string_equal(name, "11.2.0.192.in-addr.arpa");
	dns_name_of_ip(&six, name);
	assert_string_equal(name, "1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
			    ".ip6.arpa");
	assert_true(dns_name_in_zone(&four, "bl.example", name));
	assert_string_equal(name, "11.2.0.192.bl.example");
	memset(zone, 'z', sizeof zone);
	zone[200] = '\0';
	assert_true(dns_name_in_zone(&four, zone, name));
	assert_false(dns_name_in_zone(&six, zone, name));
}

static const struct { const char *what, *name; bool valid; } names[] = {
	{ "a name", "mx.acme.example", true },
	{ "one label", "localhost", true },
	{ "nothing", "", false },
	{ "an empty label", "a..b", false },
	{ "a dot in front", ".a", false },
	{ "a dot behind", "a.", false },
	{ "a label of 63", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", true },
	{ "a label of 64", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", false },
};

static void test_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (dns_name_valid(names[i].name) != names[i].valid)
			fail_msg("%s", names[i].what);
	assert_true(dns_name_under("MX.Acme.example", "acme.EXAMPLE"));
	assert_true(dns_name_under("acme.example", "acme.example"));
	assert_false(dns_name_under("notacme.example", "acme.example"));
	assert_false(dns_name_under("example", "acme.example"));
}

static const struct { const char *what, *name, *ip; bool generic; } generics[] = {
	{ "a mail server", "mx1.acme.example", "192.0.2.11", false },
	{ "a number that is not the address", "mx11.acme.example", "192.0.2.11", false },
	{ "two of its octets", "mail-2-11.acme.example", "192.0.2.11", false },
	{ "octets with dashes", "host-192-0-2-11.isp.example", "192.0.2.11", true },
	{ "octets in reverse", "11.2.0.192.isp.example", "192.0.2.11", true },
	{ "octets with letters between", "ip192x0x2x11.isp.example", "192.0.2.11", true },
	{ "octets with zeros in front", "192000002011.isp.example", "192.0.2.11", true },
	{ "padded octets, separated", "192-000-002-011.isp.example", "192.0.2.11", true },
	{ "hexadecimal", "c000020b.isp.example", "192.0.2.11", true },
	{ "one decimal number", "h3221225995.isp.example", "192.0.2.11", true },
	{ "another address", "host-192-0-2-12.isp.example", "192.0.2.11", false },
	{ "the address as the domain itself", "192-0-2-11.example", "192.0.2.11", true },
	{ "a word", "dsl-pool.isp.example", "192.0.2.11", true },
	{ "a word with a number", "dyn7.isp.example", "192.0.2.11", true },
	{ "a word as a label", "a1.dynamic.isp.example", "192.0.2.11", true },
	{ "upper case", "DHCP-4.ISP.EXAMPLE", "192.0.2.11", true },
	{ "a word in a word", "adslib.isp.example", "192.0.2.11", false },
	{ "a company that is called so", "mx.cable.example", "192.0.2.11", false },
	{ "and its provider's name", "mx.cable.isp.example", "192.0.2.11", true },
	{ "IPv6, a mail server", "mx1.acme.example", "2001:db8::11", false },
	{ "IPv6, all nibbles in reverse",
	  "1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.isp.example",
	  "2001:db8::11", true },
	{ "IPv6, groups", "2001-db8-0-0-0-0-0-11.isp.example", "2001:db8::11", true },
	{ "IPv6, as it is written", "2001-db8--11.isp.example", "2001:db8::11", true },
	{ "IPv6, the interface's part", "0212abfffe345678.isp.example", "2001:db8::212:abff:fe34:5678",
	  true },
	{ "IPv6, another", "2001-db8--12.isp.example", "2001:db8::11", false },
	{ "one label", "localhost", "192.0.2.11", false },
	{ "nothing", "", "192.0.2.11", false },
};

static void test_generic(void **state)
{
	char why[DNS_GENERIC];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(generics); i++) {
		struct ip ip = ip_of(generics[i].ip);

		if (dns_generic(generics[i].name, &ip, why) != generics[i].generic)
			fail_msg("%s: %s", generics[i].what, generics[i].name);
	}
}

/* A header of one question, "a. IN A" behind it, and @n_answers that @records holds. */
static size_t message(uint8_t *out, uint8_t flags, uint8_t n_answers, const char *records,
		      size_t len)
{
	static const uint8_t question[] = { 1, 'a', 0, 0, 1, 0, 1 };
	const uint8_t header[12] = { 0, 1, 0x81, flags, 0, 1, 0, n_answers };

	memcpy(out, header, 12);
	memcpy(out + 12, question, sizeof question);
	memcpy(out + 12 + sizeof question, records, len);
	return 12 + sizeof question + len;
}

#define RECORD(type, len)	"\xc0\x0c\0" type "\0\1\0\0\0\x3c\0" len

static const struct {
	const char *what;
	uint8_t flags, n;
	const char *records;
	size_t len;
	enum dns_type type;
	enum dns_outcome outcome;
	size_t n_records;
	const char *text;			/* of the first */
} messages[] = {
#define ROW(text)	text, sizeof(text) - 1
	{ "an address", 0x80, 1, ROW(RECORD("\1", "\4") "\xc0\0\2\1"), DNS_A, DNS_FOUND, 1, NULL },
	{ "an alias in front", 0x80, 2,
	  ROW(RECORD("\5", "\4") "\1b\xc0\x0c" RECORD("\1", "\4") "\xc0\0\2\1"), DNS_A, DNS_FOUND, 1,
	  NULL },
	{ "a name", 0x80, 1, ROW(RECORD("\x0c", "\5") "\2MX\xc0\x0c"), DNS_PTR, DNS_FOUND, 1, "mx.a" },
	{ "a mail host", 0x80, 1, ROW(RECORD("\x0f", "\6") "\0\x0a\1m\xc0\x0c"), DNS_MX, DNS_FOUND, 1,
	  "m.a" },
	{ "two strings of a text", 0x80, 1, ROW(RECORD("\x10", "\6") "\2v=\2sp"), DNS_TXT, DNS_FOUND,
	  1, "v=sp" },
	{ "no record", 0x80, 0, ROW(""), DNS_A, DNS_NOTHING, 0, NULL },
	{ "no such name", 0x83, 0, ROW(""), DNS_A, DNS_NOTHING, 0, NULL },
	{ "a failure", 0x82, 0, ROW(""), DNS_A, DNS_FAILED, 0, NULL },
	{ "an address of three octets", 0x80, 1, ROW(RECORD("\1", "\3") "\xc0\0\2"), DNS_A, DNS_FAILED,
	  0, NULL },
	{ "a record that ends too early", 0x80, 1, ROW(RECORD("\1", "\4") "\xc0\0"), DNS_A, DNS_FAILED,
	  0, NULL },
	{ "fewer records than said", 0x80, 2, ROW(RECORD("\1", "\4") "\xc0\0\2\1"), DNS_A, DNS_FAILED,
	  0, NULL },
	{ "a string longer than its record", 0x80, 1, ROW(RECORD("\x10", "\3") "\x09v="), DNS_TXT,
	  DNS_FAILED, 0, NULL },
	{ "a name that points at itself", 0x80, 1, ROW(RECORD("\x0c", "\2") "\xc0\x1f"), DNS_PTR,
	  DNS_FAILED, 0, NULL },
#undef ROW
};

static void test_messages(void **state)
{
	uint8_t octets[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct dns_answer answer;
		size_t len = message(octets, messages[i].flags, messages[i].n, messages[i].records,
				     messages[i].len);
		uint8_t *copy = (uint8_t *)mem_text((char *)octets, len);

		dns_message_read(copy, len, messages[i].type, NULL, &answer);
		if (answer.outcome != messages[i].outcome ||
		    answer.records.n != messages[i].n_records)
			fail_msg("%s: outcome %d, %zu records", messages[i].what,
				 (int)answer.outcome, answer.records.n);
		if (messages[i].text)
			assert_string_equal(answer.records.at[0].text, messages[i].text);
		dns_answer_drop(&answer);
		free(copy);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reverse),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_generic),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
