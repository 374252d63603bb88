/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of `outbindctl verify` that need no network: its destination, its judgement, answers of the
 * tag socket. */
#include "../../ctl/tag_line.h"
#include "../../ctl/verify_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void test_destinations(void **state)
{
	static const struct { const char *text, *host; unsigned port; } rows[] = {
		{ "192.0.2.1", "192.0.2.1", 443 },
		{ "192.0.2.1:25", "192.0.2.1", 25 },
		{ "2001:db8::1", "2001:db8::1", 443 },
		{ "[2001:db8::1]", "2001:db8::1", 443 },
		{ "[2001:db8::1]:25", "2001:db8::1", 25 },
		{ "mx.example.org:465", "mx.example.org", 465 },
		{ "", NULL, 0 }, { ":25", NULL, 0 }, { "[]:25", NULL, 0 }, { "[2001:db8::1", NULL, 0 },
		{ "[2001:db8::1]x", NULL, 0 }, { "host:", NULL, 0 }, { "host:0", NULL, 0 },
		{ "host:65536", NULL, 0 }, { "host:25x", NULL, 0 }, { "host:-1", NULL, 0 },
		{ "host:000000000025", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char host[256] = "";
		uint16_t port = 0;

		print_message("'%s'\n", rows[i].text);
		assert_int_equal(verify_read_to(rows[i].text, host, &port), rows[i].host != NULL);
		if (!rows[i].host)
			continue;
		assert_string_equal(host, rows[i].host);
		assert_int_equal(port, rows[i].port);
	}
}

static struct prefix prefix(const char *text)
{
	struct prefix prefix = { 0 };

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

static struct seen seen(const char *link, const char *from, uint64_t when_us)
{
	struct seen seen = { .when_us = when_us, .packet = { .has_macs = true } };

	(void)snprintf(seen.link, sizeof seen.link, "%s", link);
	assert_int_equal(ip_parse(from, &seen.packet.from), 0);
	return seen;
}

static const struct row {
	const char *what, *refusal, *seen[2];	/* link and source in the order of time */
	const char *uplink_link;
	int error;
	enum reply reply;
	struct circumstances around;
	enum outcome outcome;
	const char *says;
} rows[] = {
	{ "right", "", { "eth0 192.0.2.11" }, NULL, 0, REPLY_SYN_ACK, { 0 }, OUTCOME_PASS,
	  "left from 192.0.2.11 by eth0, 00:00:00:00:00:00 to next hop 00:00:00:00:00:00; SYN-ACK after 1.5 ms" },
	{ "of the routed prefix", "", { "eth0 198.51.100.7" }, NULL, ECONNREFUSED, REPLY_RST, { 0 }, OUTCOME_PASS,
	  "; RST after" },
	{ "an ICMP error came back", "", { "eth0 192.0.2.11" }, NULL, EHOSTUNREACH, REPLY_ICMP, { 0 }, OUTCOME_PASS,
	  "; ICMP after 1.5 ms from 203.0.113.9: host unreachable" },
	{ "nothing came back", "", { "eth0 192.0.2.11" }, NULL, ETIMEDOUT, REPLY_NONE, { 0 }, OUTCOME_FAIL,
	  "; nothing came back in 5 s" },
	{ "another source", "", { "eth0 192.0.2.99" }, NULL, 0, REPLY_SYN_ACK, { 0 }, OUTCOME_FAIL,
	  "left from 192.0.2.99, which is not an address of the binding (192.0.2.11, 198.51.100.0/24), by eth0" },
	{ "through a bridge, rewritten at its port", "", { "br0 192.0.2.11", "eth0 192.0.2.99" }, NULL, 0,
	  REPLY_SYN_ACK, { 0 }, OUTCOME_FAIL, "left from 192.0.2.99, " },
	{ "through a bridge, mended at its port", "", { "br0 192.0.2.99", "eth0 192.0.2.11" }, NULL, 0,
	  REPLY_SYN_ACK, { 0 }, OUTCOME_PASS, "left from 192.0.2.11 by eth0 (through br0), " },
	{ "by its uplink", "", { "eth1 192.0.2.11" }, "eth1", 0, REPLY_SYN_ACK, { 0 }, OUTCOME_PASS, "by eth1" },
	{ "by another link", "", { "eth0 192.0.2.11" }, "eth1", 0, REPLY_SYN_ACK, { 0 }, OUTCOME_FAIL,
	  ", but its uplink isp2 is eth1; SYN-ACK" },
	{ "who stands in has another way", "", { "eth0 198.51.100.7" }, "eth1", 0, REPLY_SYN_ACK, { 0 }, OUTCOME_PASS,
	  "left from 198.51.100.7" },
	{ "refused by the agent", "suspended", { NULL }, NULL, ETIMEDOUT, REPLY_NONE, { 0 }, OUTCOME_REFUSED,
	  "refused by the agent: suspended" },
	{ "refused by a limit", "", { NULL }, NULL, ECONNREFUSED, REPLY_NONE, { .limit = 1 }, OUTCOME_REFUSED,
	  "nothing left by any link: a limit is reached" },
	{ "refused by somebody", "", { NULL }, NULL, ECONNREFUSED, REPLY_NONE, { 0 }, OUTCOME_REFUSED,
	  "nothing left by any link: Connection refused" },
	{ "no next hop", "", { NULL }, NULL, EHOSTUNREACH, REPLY_NONE, { 0 }, OUTCOME_FAIL,
	  "nothing left: no route, or the next hop does not answer" },
	{ "dropped by the guard", "", { NULL }, NULL, ETIMEDOUT, REPLY_NONE, { .guard = 2 }, OUTCOME_FAIL,
	  "somebody else rewrites the source (an SNAT" },
	{ "dropped by its other half", "", { NULL }, NULL, ETIMEDOUT, REPLY_NONE, { .uplink = 2 }, OUTCOME_FAIL,
	  "by another way than its uplink" },
	{ "dropped by somebody", "", { NULL }, NULL, ETIMEDOUT, REPLY_NONE, { 0 }, OUTCOME_FAIL,
	  "not by outbind's guard" },
	{ "the capture lost it", "", { NULL }, NULL, 0, REPLY_NONE, { .lost = 3 }, OUTCOME_FAIL,
	  "the capture lost it (3 packets had no room)" },
};

static void test_judgement(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct prefix expected[] = { prefix("192.0.2.11"), prefix("198.51.100.0/24") };
		struct evidence evidence = {
			.expected = { expected, 2, 2 }, .own = { expected, 1, 2 },
			.uplink = "isp2", .uplink_link = row->uplink_link, .error = row->error,
			.reply = row->reply, .reply_us = 1540, .timeout_s = 5,
			.answer = { .type = 3, .code = 1 },
		};
		char text[VERIFY_TEXT], link[16], from[64];

		print_message("%s\n", row->what);
		(void)snprintf(evidence.refusal, sizeof evidence.refusal, "%s", row->refusal);
		assert_int_equal(ip_parse("203.0.113.9", &evidence.answer.from), 0);
		for (size_t j = 0; j < ARRAY_LEN(row->seen) && row->seen[j]; j++) {
			assert_int_equal(sscanf(row->seen[j], "%15s %63s", link, from), 2);
			evidence.seen[evidence.n_seen++] = seen(link, from, 100 + j);
		}
		assert_int_equal(verify_judge(&evidence, &row->around, text), row->outcome);
		if (!strstr(text, row->says))
			fail_msg("'%s' is not in '%s'", row->says, text);
	}
}

static void test_long_judgement(void **state)
{
	struct prefix expected[64];
	struct evidence evidence = { .expected = { expected, 64, 64 }, .n_seen = SEEN_MAX };
	const struct circumstances around = { 0 };
	char text[VERIFY_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		expected[i] = prefix("2001:db8:1111:2222:3333:4444:5555:6666/128");
	for (size_t i = 0; i < SEEN_MAX; i++)
		evidence.seen[i] = seen("a-long-link-nam", "2001:db8:1111:2222:3333:4444:5555:7777", i);
	assert_int_equal(verify_judge(&evidence, &around, text), OUTCOME_FAIL);
	assert_non_null(strstr(text, " and 62 more"));
	assert_true(strlen(text) < VERIFY_TEXT);
}

static void test_answers(void **state)
{
	static const struct {
		const char *reply;
		int r;
		size_t n;
		const char *refusal;
	} answers[] = {
		{ "OK mark=7 binding=a address=192.0.2.1 routed=2001:db8::/64 no6=not+here", 0, 2, "" },
		{ "OK mark=7 binding=a ehlo=mx.example news=yes", 0, 0, "" },
		{ "ERROR unusable no IPv4 address", -EPERM, 0, "no IPv4 address" },
		{ "ERROR unusable", -EPERM, 0, "unusable" },
		{ "OK mark=7 address=nonsense", -EPROTO, 0, "the agent's answer is not a reply to a tag request" },
		{ "OK word", -EPROTO, 0, "the agent's answer is not a reply to a tag request" },
		{ "", -EPROTO, 0, "the agent's answer is not a reply to a tag request" },
		{ "CHANGED", -EPROTO, 0, "the agent's answer is not a reply to a tag request" },
		{ "OK mark=7\033[2J", -EPROTO, 0, "the agent's answer is not a reply to a tag request" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		AUTO(tagged_drop) struct tagged tagged = { 0 };

		print_message("%s\n", answers[i].reply);
		assert_int_equal(tag_line_read(answers[i].reply, strlen(answers[i].reply), &tagged),
				 answers[i].r);
		assert_string_equal(tagged.refusal, answers[i].refusal);
		if (answers[i].r == 0)
			assert_int_equal(tagged.sources.n, answers[i].n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_judgement),
		cmocka_unit_test(test_long_judgement),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
