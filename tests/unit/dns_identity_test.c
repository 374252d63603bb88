/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What DNS says about a sender's address: each check, and each way in which it can fail. */
#include "base/own.h"
#include "dns/dns_book.h"
#include "dns/dns_identity.h"
#include "dns_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char zone[] =
	"11.2.0.192.in-addr.arpa PTR mx.acme.example\nmx.acme.example A 192.0.2.11\n"
	"mx.acme.example AAAA 2001:db8::11\n"
	"1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mx.acme.example\n"
	"13.2.0.192.in-addr.arpa PTR wrong.example\nwrong.example A 192.0.2.99\n"
	"14.2.0.192.in-addr.arpa PTR nowhere.example\n"
	"15.2.0.192.in-addr.arpa PTR wrong.example\n15.2.0.192.in-addr.arpa PTR right.example\n"
	"right.example A 192.0.2.15\n"
	"16.2.0.192.in-addr.arpa FAIL\n"
	"17.2.0.192.in-addr.arpa PTR slow.example\nslow.example FAIL\n"
	"18.2.0.192.in-addr.arpa PTR dsl-18.isp.example\ndsl-18.isp.example A 192.0.2.18\n"
	"acme.example TXT v=spf1 ip4:192.0.2.11 ip6:2001:db8::/64 -all\n"
	"slow-spf.example FAIL\n"
	"2.0.0.127.bl.example A 127.0.0.2\n13.2.0.192.bl.example A 127.0.0.4\n"
	"13.2.0.192.bl.example TXT see https://bl.example/13\x1b[31m\n"
	"14.2.0.192.bl.example A 127.255.255.254\n15.2.0.192.bl.example A 203.0.113.9\n"
	"16.2.0.192.bl.example FAIL\n"
	"2.0.0.127.all.example A 127.0.0.2\n1.0.0.127.all.example A 127.0.0.2\n"
	"2.0.0.127.dead.example FAIL\n1.0.0.127.dead.example FAIL\n";

static const struct {
	const char *what, *ip, *ehlo, *domain, *blocklist;
	enum identity_check check;
	enum identity_state state;
	const char *text;
} rows[] = {
	{ "a name that leads back", "192.0.2.11", NULL, NULL, NULL, IDENTITY_FCRDNS, IDENTITY_GOOD, "" },
	{ "IPv6", "2001:db8::11", NULL, NULL, NULL, IDENTITY_FCRDNS, IDENTITY_GOOD, "" },
	{ "no name", "192.0.2.12", NULL, NULL, NULL, IDENTITY_FCRDNS, IDENTITY_BAD,
	  "192.0.2.12 has no PTR record" },
	{ "a name that leads elsewhere", "192.0.2.13", NULL, NULL, NULL, IDENTITY_FCRDNS, IDENTITY_BAD,
	  "PTR wrong.example is 192.0.2.99, not 192.0.2.13" },
	{ "a name that leads nowhere", "192.0.2.14", NULL, NULL, NULL, IDENTITY_FCRDNS, IDENTITY_BAD,
	  "PTR nowhere.example has no A record" },
	{ "the second of two names", "192.0.2.15", NULL, NULL, NULL, IDENTITY_FCRDNS, IDENTITY_GOOD, "" },
	{ "DNS fails", "192.0.2.16", NULL, NULL, NULL, IDENTITY_FCRDNS, IDENTITY_UNKNOWN,
	  "PTR of 192.0.2.16: no answer in time" },
	{ "DNS fails for the name", "192.0.2.17", NULL, NULL, NULL, IDENTITY_FCRDNS, IDENTITY_UNKNOWN,
	  "PTR slow.example: no answer in time" },
	{ "no EHLO name", "192.0.2.11", NULL, NULL, NULL, IDENTITY_EHLO, IDENTITY_UNASKED, "" },
	{ "an EHLO name", "192.0.2.11", "MX.acme.example", NULL, NULL, IDENTITY_EHLO, IDENTITY_GOOD, "" },
	{ "an EHLO name, IPv6", "2001:db8::11", "mx.acme.example", NULL, NULL, IDENTITY_EHLO,
	  IDENTITY_GOOD, "" },
	{ "an EHLO name of somebody else", "192.0.2.12", "mx.acme.example", NULL, NULL, IDENTITY_EHLO,
	  IDENTITY_BAD, "ehlo mx.acme.example is 192.0.2.11, not 192.0.2.12" },
	{ "an EHLO name without AAAA", "2001:db8::11", "right.example", NULL, NULL, IDENTITY_EHLO,
	  IDENTITY_BAD, "ehlo right.example has no AAAA record" },
	{ "an EHLO name that fails", "192.0.2.11", "slow.example", NULL, NULL, IDENTITY_EHLO,
	  IDENTITY_UNKNOWN, "ehlo slow.example: no answer in time" },
	{ "a name of its own", "192.0.2.11", NULL, NULL, NULL, IDENTITY_GENERIC, IDENTITY_GOOD, "" },
	{ "a generic name", "192.0.2.18", NULL, NULL, NULL, IDENTITY_GENERIC, IDENTITY_BAD,
	  "dsl-18.isp.example looks generic: it has the word 'dsl' in it" },
	{ "no name, not generic", "192.0.2.12", NULL, NULL, NULL, IDENTITY_GENERIC, IDENTITY_UNASKED, "" },
	{ "SPF passes", "192.0.2.11", NULL, "acme.example", NULL, IDENTITY_SPF, IDENTITY_GOOD, "" },
	{ "SPF fails", "192.0.2.12", NULL, "acme.example", NULL, IDENTITY_SPF, IDENTITY_BAD,
	  "SPF of acme.example: fail ('-all' of acme.example matches)" },
	{ "no SPF", "192.0.2.11", NULL, "right.example", NULL, IDENTITY_SPF, IDENTITY_BAD,
	  "SPF of right.example: none (right.example has no SPF record)" },
	{ "SPF cannot be told", "192.0.2.11", NULL, "slow-spf.example", NULL, IDENTITY_SPF,
	  IDENTITY_UNKNOWN, "SPF of slow-spf.example: temperror (slow-spf.example: no answer in time)" },
	{ "not listed", "192.0.2.11", NULL, NULL, "bl.example", IDENTITY_BLOCKLIST, IDENTITY_GOOD, "" },
	{ "listed, with words that are made harmless", "192.0.2.13", NULL, NULL, "bl.example",
	  IDENTITY_BLOCKLIST, IDENTITY_BAD,
	  "listed on bl.example (127.0.0.4: see https://bl.example/13?[31m)" },
	{ "the list refuses", "192.0.2.14", NULL, NULL, "bl.example", IDENTITY_BLOCKLIST,
	  IDENTITY_UNKNOWN, "bl.example refuses to answer (127.255.255.254)" },
	{ "an answer that cannot be", "192.0.2.15", NULL, NULL, "bl.example", IDENTITY_BLOCKLIST,
	  IDENTITY_UNKNOWN, "bl.example answered 203.0.113.9, which is no answer of a blocklist" },
	{ "the list fails", "192.0.2.16", NULL, NULL, "bl.example", IDENTITY_BLOCKLIST,
	  IDENTITY_UNKNOWN, "bl.example: no answer in time" },
	{ "a list of IPv4 has nothing to say", "2001:db8::11", NULL, NULL, "bl.example",
	  IDENTITY_BLOCKLIST, IDENTITY_UNASKED, "" },
	{ "a list of everything", "192.0.2.11", NULL, NULL, "all.example", IDENTITY_BLOCKLIST,
	  IDENTITY_UNKNOWN, "all.example lists everything: its word does not count" },
	{ "no list at all", "192.0.2.11", NULL, NULL, "none.example", IDENTITY_BLOCKLIST,
	  IDENTITY_UNKNOWN, "none.example does not list its own test entry: it is no blocklist, or does "
	  "not answer us" },
	{ "a dead list", "192.0.2.11", NULL, NULL, "dead.example", IDENTITY_BLOCKLIST, IDENTITY_UNKNOWN,
	  "dead.example: no answer in time" },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_table table = { .text = zone, .patient = true };
		struct dns_source source = { dns_table_ask, &table };
		struct identity_subject subject = { .ehlo = rows[i].ehlo,
						    .domains = &rows[i].domain,
						    .n_domains = rows[i].domain != NULL };
		struct identity_result result;
		bool done = false;

		assert_int_equal(ip_parse(rows[i].ip, &subject.ip), 0);
		for (int n = 0; n < 20 && !done; n++)
			done = dns_identity(&subject, &rows[i].blocklist,
					    rows[i].blocklist != NULL, &source, &result);
		if (!done || result.state[rows[i].check] != rows[i].state ||
		    strcmp(result.text[rows[i].check], rows[i].text) != 0)
			fail_msg("%s: %s (%s)", rows[i].what,
				 identity_state_name(result.state[rows[i].check]),
				 result.text[rows[i].check]);
		dns_table_drop(&table);
	}
}

/* Names of several lists are joined; the worst counts. */
static void test_joined(void **state)
{
	static const char *const lists[] = { "dead.example", "bl.example" };
	struct dns_table table = { .text = zone };
	struct dns_source source = { dns_table_ask, &table };
	struct identity_subject subject = { 0 };
	struct identity_result result;

	(void)state;
	assert_int_equal(ip_parse("192.0.2.13", &subject.ip), 0);
	assert_true(dns_identity(&subject, lists, 2, &source, &result));
	assert_int_equal(result.state[IDENTITY_BLOCKLIST], IDENTITY_BAD);
	assert_string_equal(result.text[IDENTITY_BLOCKLIST],
			    "dead.example: no answer in time; listed on bl.example (127.0.0.4: see "
			    "https://bl.example/13?[31m)");
	dns_table_drop(&table);
}

static void test_book(void **state)
{
	struct dns_book book = { .reader = 7 };
	struct dns_page *page;

	(void)state;
	assert_null(dns_book_ask(&book, DNS_A, "Mx.Example."));
	assert_null(dns_book_ask(&book, DNS_AAAA, "mx.example"));
	book.reader = 8;
	assert_null(dns_book_ask(&book, DNS_A, "mx.example"));
	assert_int_equal(dns_book_ask(&book, DNS_A, "a..b")->outcome, DNS_NOTHING);
	assert_int_equal(book.n, 2);
	page = dns_book_take(&book);
	assert_string_equal(page->name, "mx.example");
	assert_int_equal(page->type, DNS_A);
	assert_int_equal(page->waiting.n, 2);
	page->answered = true;
	page->answer.outcome = DNS_FOUND;
	assert_int_equal(dns_book_ask(&book, DNS_A, "MX.example")->outcome, DNS_FOUND);
	dns_book_close(&book, "no time was left");
	assert_int_equal(dns_book_ask(&book, DNS_A, "mx.example")->outcome, DNS_FOUND);
	assert_string_equal(dns_book_ask(&book, DNS_AAAA, "mx.example")->failure, "no time was left");
	assert_string_equal(dns_book_ask(&book, DNS_A, "b.example")->failure, "no time was left");
	assert_int_equal(book.n, 2);
	dns_book_drop(&book);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_book),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
