/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the relay reads from others beside SMTP: SOCKS5, PROXY headers, MX answers, TLS policies;
 * its memory, and how it counts clients.
 */
#include "relay/clients.h"
#include "relay/demand.h"
#include "relay/memory.h"
#include "relay/proxy_parse.h"
#include "relay/resolve_mx.h"
#include "relay/socks_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define BYTES(text)	text, sizeof text - 1

static void describe_socks(const char *input, size_t n, size_t cut, char *out)
{
	struct socks socks = { 0 };
	char ip[IP_TEXT] = "";
	size_t len;

	socks_feed(&socks, (const uint8_t *)input, cut);
	socks_feed(&socks, (const uint8_t *)input + cut, n - cut);
	if (socks.ip.len > 0)
		ip_print(&socks.ip, ip);
	len = (size_t)sprintf(out, "%d %s %s%s:%u +%zu ", (int)socks.state, socks.user, socks.host, ip, socks.port,
			      socks.state == SOCKS_DONE ? buffer_len(&socks.in) : 0);
	for (size_t i = 0; i < buffer_len(&socks.out); i++)
		len += (size_t)sprintf(out + len, "%02x", buffer_bytes(&socks.out)[i]);
	socks_drop(&socks);
}

static void test_socks(void **state)
{
	static const struct { const char *what, *input; size_t n; const char *want; } rows[] = {
		{ "a name, then IPv4", BYTES("\5\2\0\2\1\4acme\1x\5\1\0\1\xc6\x33\x64\x01\0\x19more"),
		  "3 acme 198.51.100.1:25 +4 05020100" },
		{ "nobody, then a host", BYTES("\5\1\0\5\1\0\3\4mx.a\2\x4b"), "3  mx.a:587 +0 0500" },
		{ "IPv6", BYTES("\5\1\0\5\1\0\4\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\x19"),
		  "3  2001:db8::1:25 +0 0500" },
		{ "version 4", BYTES("\4\1\0"), "4  :0 +0 " },
		{ "no method of ours", BYTES("\5\1\1"), "4  :0 +0 05ff" },
		{ "an empty name", BYTES("\5\1\2\1\0\1x"), "4  :0 +0 05020101" },
		{ "BIND", BYTES("\5\1\0\5\2\0\1\1\2\3\4\0\x19"), "4  :0 +0 050005070001000000000000" },
		{ "an address of no type", BYTES("\5\1\0\5\1\0\2\1\2\3\4\0\x19"), "4  :0 +0 050005080001000000000000" },
		{ "port 0", BYTES("\5\1\0\5\1\0\1\1\2\3\4\0\0"), "4  1.2.3.4:0 +0 050005080001000000000000" },
		{ "half of it", BYTES("\5\1\0\5\1\0\3\x10mx"), "2  :0 +0 0500" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t cut = 0; cut <= rows[i].n; cut++) {
			char got[1000];

			describe_socks(rows[i].input, rows[i].n, cut, got);
			if (strcmp(got, rows[i].want) != 0)
				fail_msg("%s, cut at %zu: got '%s', want '%s'", rows[i].what, cut, got, rows[i].want);
		}
	}
}

#define SIGNATURE	"\r\n\r\n\0\r\nQUIT\n"
#define ADDRESSES4	"\xc0\0\2\1\xc6\x33\x64\1\x30\x39\0\x19"

#define OCTETS64	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_proxy(void **state)
{
	static const struct {
		const char *what, *input;
		size_t n;
		int want;
		const char *text;
	} rows[] = {
		{ "IPv4", BYTES(SIGNATURE "\x21\x11\0\x0c" ADDRESSES4 "more"), 1,
		  "192.0.2.1 198.51.100.1:25  28" },
		{ "an authority", BYTES(SIGNATURE "\x21\x11\0\x13" ADDRESSES4 "\2\0\4acme"), 1,
		  "192.0.2.1 198.51.100.1:25 acme 35" },
		{ "our own TLV goes before an authority",
		  BYTES(SIGNATURE "\x21\x11\0\x1a" ADDRESSES4 "\xe0\0\4beta\2\0\4acme"), 1,
		  "192.0.2.1 198.51.100.1:25 beta 42" },
		{ "an authority too long to be a name, before our own TLV",
		  BYTES(SIGNATURE "\x21\x11\0\x56" ADDRESSES4 "\2\0\x40" OCTETS64 "\xe0\0\4beta"), 1,
		  "192.0.2.1 198.51.100.1:25 beta 102" },
		{ "an authority of no octets names nobody",
		  BYTES(SIGNATURE "\x21\x11\0\x0f" ADDRESSES4 "\2\0\0"), 1,
		  "192.0.2.1 198.51.100.1:25  31" },
		{ "an authority too long to be a name",
		  BYTES(SIGNATURE "\x21\x11\0\x4f" ADDRESSES4 "\2\0\x40" OCTETS64), -EINVAL, "" },
		{ "an authority with a NUL", BYTES(SIGNATURE "\x21\x11\0\x13" ADDRESSES4 "\2\0\4ac\0e"),
		  -EINVAL, "" },
		{ "our own TLV, too long",
		  BYTES(SIGNATURE "\x21\x11\0\x4f" ADDRESSES4 "\xe0\0\x40" OCTETS64), -EINVAL, "" },
		{ "our own TLV, empty", BYTES(SIGNATURE "\x21\x11\0\x0f" ADDRESSES4 "\xe0\0\0"),
		  -EINVAL, "" },
		{ "our own TLV, good, and with a NUL",
		  BYTES(SIGNATURE "\x21\x11\0\x1a" ADDRESSES4 "\xe0\0\4beta\xe0\0\4b\0ta"), -EINVAL, "" },
		{ "LOCAL", BYTES(SIGNATURE "\x20\x11\0\x0c" ADDRESSES4), -EINVAL, "" },
		{ "UDP", BYTES(SIGNATURE "\x21\x12\0\x0c" ADDRESSES4), -EINVAL, "" },
		{ "too short for its family", BYTES(SIGNATURE "\x21\x21\0\x0c" ADDRESSES4), -EINVAL,
		  "" },
		{ "a TLV beyond the end", BYTES(SIGNATURE "\x21\x11\0\x0f" ADDRESSES4 "\2\0\4"),
		  -EINVAL, "" },
		{ "longer than anybody needs", BYTES(SIGNATURE "\x21\x11\xff\xff"), -EINVAL, "" },
		{ "version 1", BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 1 25\r\n"), -EINVAL, "" },
		{ "not whole", BYTES(SIGNATURE "\x21\x11\0\x0c\xc0"), 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct proxy_header header = { 0 };
		int got = proxy_parse((const uint8_t *)rows[i].input, rows[i].n, &header);
		char text[200] = "", source[IP_TEXT], to[IP_TEXT];

		if (got == 1)
			sprintf(text, "%s %s:%u %s %zu", ip_print(&header.source, source),
				ip_print(&header.destination, to), header.destination_port,
				header.binding, header.len);
		if (got != rows[i].want || strcmp(text, rows[i].text) != 0)
			fail_msg("%s: got %d '%s', want %d '%s'", rows[i].what, got, text, rows[i].want, rows[i].text);
		for (size_t n = 0; rows[i].want == 1 && n < header.len; n++)
			assert_int_equal(proxy_parse((const uint8_t *)rows[i].input, n, &header),
					 0);
	}
}

static void describe_mx(const char *text, const struct resolve_how *how, char *out)
{
	struct mx mx[MX_MAX];
	struct reply refusal = { 0 };
	char copy[300], *rest = copy, *one;
	size_t n = 0;

	snprintf(copy, sizeof copy, "%s", text);
	while ((one = strsep(&rest, ","))) {
		mx[n] = (struct mx){ .preference = (uint16_t)strtoul(one, &one, 10) };
		snprintf(mx[n++].host, sizeof mx[0].host, "%s", one + 1);
	}
	n = resolve_mx_order(mx, n, how, &refusal);
	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		sprintf(out + strlen(out), "%s%s", i ? " " : "", mx[i].host);
	if (n == 0)
		sprintf(out, "%d", refusal.code);
	reply_drop(&refusal);
}

static void test_mx(void **state)
{
	static const struct { const char *records, *want; } rows[] = {
		{ "20 b,10 a", "a b" },
		{ "0 ", "556" },			/* null MX */
		{ "10 a,5 ", "a" },			/* "." among others is no host */
		{ "10 a,20 me,20 c,30 d", "a" },	/* ourselves, and all that is no better */
		{ "10 me,20 b", "554" },
	};
	struct resolve_how how = { .domain = "x.example", .own_name = "ME", .hash = 1 };
	char got[300], again[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		describe_mx(rows[i].records, &how, got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got '%s', want '%s'", rows[i].records, got, rows[i].want);
	}
	describe_mx("10 a,10 b,10 c,10 d", &how, got);
	describe_mx("10 d,10 c,10 b,10 a", &how, again);
	assert_string_equal(got, again);		/* one order for one hash, whatever DNS says first */
	for (how.hash = 2; how.hash < 50 && strcmp(got, again) == 0; how.hash++)
		describe_mx("10 a,10 b,10 c,10 d", &how, again);
	assert_string_not_equal(got, again);
}

static void test_policies(void **state)
{
	static const struct {
		const char *value;
		bool good;
		enum relay_tls level;
		const char *names;
		bool needs_records;
	} rows[] = {
		{ "secure match=a.example:.b.example servername=hostname", true,
		  RELAY_UPSTREAM_VERIFY, "a.example .b.example ", false },
		{ "dane", true, RELAY_UPSTREAM_DANE, "", false },
		{ "dane-only", true, RELAY_UPSTREAM_DANE, "", true },
		{ "may", true, RELAY_UPSTREAM_MAY, "", false },
		{ "verify match=hostname", true, RELAY_UPSTREAM_VERIFY, "", false },
		{ "secure", true, RELAY_UPSTREAM_VERIFY, "d.example .d.example ", false },
		{ "secure match=dot-nexthop:nexthop:a", true, RELAY_UPSTREAM_VERIFY,
		  ".d.example d.example a ", false },
		{ "verify", true, RELAY_UPSTREAM_VERIFY, "", false },
		{ "secure match=hostname", true, RELAY_UPSTREAM_VERIFY, "", false },
		{ "fingerprint match=ab", false, RELAY_UPSTREAM_UNSAID, "", false },
		{ "secure strictly", false, RELAY_UPSTREAM_VERIFY, "", false },
		{ "secure match=a::b", false, RELAY_UPSTREAM_VERIFY, "a ", false },
		{ "", false, RELAY_UPSTREAM_UNSAID, "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sts_policy policy;
		char value[100], names[200] = "";
		bool good;

		strcpy(value, rows[i].value);
		good = sts_parse(value, ".d.example", &policy);
		for (size_t n = 0; policy.names[n]; n++)
			sprintf(names + strlen(names), "%s ", policy.names[n]);
		if (good != rows[i].good || policy.level != rows[i].level ||
		    policy.needs_records != rows[i].needs_records ||
		    strcmp(names, rows[i].names) != 0)
			fail_msg("'%s': got %d, level %d, needs records %d, names '%s'", rows[i].value,
				 good, (int)policy.level, policy.needs_records, names);
	}
}

#define N	RELAY_UPSTREAM_NONE
#define M	RELAY_UPSTREAM_MAY
#define E	RELAY_UPSTREAM_ENCRYPT
#define V	RELAY_UPSTREAM_VERIFY
#define D	RELAY_UPSTREAM_DANE

static void test_a_policy_only_adds(void **state)
{
	static const struct {
		enum relay_tls configured;
		const char *policy;
		enum relay_tls without, with;	/* TLSA records */
		const char *name;
		bool needs;
	} rows[] = {
		{ N, NULL, N, N, NULL, false },
		{ RELAY_UPSTREAM_UNSAID, NULL, M, M, NULL, false },
		{ N, "may", M, M, NULL, false },	{ M, "none", M, M, NULL, false },
		{ E, "none", E, E, NULL, false },	{ E, "may", E, E, NULL, false },
		{ V, "may", V, V, NULL, false },	{ V, "encrypt match=a", V, V, NULL, false },
		{ V, "dane", V, D, NULL, false },	{ E, "dane", E, D, NULL, false },
		{ M, "dane-only", M, D, NULL, true },	{ D, NULL, M, D, NULL, false },
		{ D, "none", M, D, NULL, false },	{ D, "secure match=a:.b", V, D, "a", false },
		{ M, "secure match=a:.b", V, V, "a", false },
		{ V, "secure match=.b", V, V, ".b", false },
		{ M, "secure match=hostname:a", V, V, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *want = rows[i].name ? rows[i].name : "", *name;
		struct sts_policy policy;
		struct demand demand, same;
		char value[100];

		if (rows[i].policy)
			assert_true(sts_parse(strcpy(value, rows[i].policy), ".d.example",
					      &policy));
		demand = demand_make(rows[i].configured, rows[i].policy ? &policy : NULL);
		same = demand_make(rows[i].configured, rows[i].policy ? &policy : NULL);
		name = demand.names[0] ? demand.names[0] : "";
		if (demand_level(&demand, 0, false) != rows[i].without ||
		    demand_level(&demand, 1, false) != rows[i].with ||
		    demand.needs_records != rows[i].needs || !demand_equal(&demand, &same) ||
		    strcmp(name, want) != 0)
			fail_msg("%d and '%s': level %d, with records %d, name '%s'",
				 (int)rows[i].configured, rows[i].policy ? rows[i].policy : "",
				 (int)demand_level(&demand, 0, false),
				 (int)demand_level(&demand, 1, false), name);
		assert_true(demand_level(&demand, 0, true) >= RELAY_UPSTREAM_ENCRYPT);
		demand_drop(&same);
		same = demand_make(RELAY_UPSTREAM_VERIFY, NULL);
		assert_int_equal(demand_equal(&demand, &same),
				 demand.level == V && !demand.dane && !demand.names[0]);
		demand_drop(&demand);
		demand_drop(&same);
	}
}

#undef N
#undef M
#undef E
#undef V
#undef D

static struct fingerprint print_of(uint32_t number)
{
	struct fingerprint print = { { 0 } };

	for (size_t i = 0; i < sizeof print.octet; i++)
		print.octet[i] =
			(uint8_t)((number * 2654435761u) >> (i % 4 * 8)) ^ (uint8_t)(i * number);
	return print;
}

static void test_memory(void **state)
{
	struct memory *memory = memory_new();
	struct fingerprint one = print_of(1), two = print_of(2);
	struct ip ip = { { 192, 0, 2, 1 }, 4 };
	uint32_t kept = 0;

	(void)state;
	memory_remember(memory, &one, 100);
	assert_false(memory_take(memory, &two, 100));
	assert_true(memory_take(memory, &one, 100));
	assert_false(memory_take(memory, &one, 100));		/* once */
	memory_remember(memory, &one, 100);
	assert_false(memory_take(memory, &one, 100 + MEMORY_DELIVERY_S + 1));
	memory_tls_failed(memory, &ip, 100);
	assert_true(memory_tls_is_bad(memory, &ip, 100 + MEMORY_TLS_S - 1));
	assert_false(memory_tls_is_bad(memory, &ip, 100 + MEMORY_TLS_S + 1));
	for (uint32_t i = 0; i < 3 * MEMORY_DELIVERIES; i++) {
		struct fingerprint print = print_of(i + 10);

		memory_remember(memory, &print, 200 + i / 1000);
	}
	for (uint32_t i = 0; i < 3 * MEMORY_DELIVERIES; i++) {
		struct fingerprint print = print_of(i + 10);

		kept += memory_take(memory, &print, 400);
	}
	/* bounded, and not by much less */
	assert_in_range(kept, MEMORY_DELIVERIES / 2, MEMORY_DELIVERIES);
	memory_free(memory);
}

static void test_clients(void **state)
{
	struct clients *clients = clients_new();
	struct ip one = { { 192, 0, 2, 1 }, 4 }, two = { { 192, 0, 2, 2 }, 4 };
	struct ip local = { .len = 0 };

	(void)state;
	assert_true(clients_enter(clients, &one, 5, 0));	/* while there is no limit */
	assert_true(clients_enter(clients, &one, 5, 2));
	assert_false(clients_enter(clients, &one, 5, 2));
	assert_true(clients_enter(clients, &two, 5, 2));
	assert_true(clients_enter(clients, &local, 5, 2));
	assert_true(clients_enter(clients, &local, 5, 2));
	assert_false(clients_enter(clients, &local, 5, 2));
	assert_false(clients_enter(clients, &two, 5, 2));	/* in all, and not left behind */
	clients_leave(clients, &one);
	assert_true(clients_enter(clients, &two, 5, 2));
	clients_leave(clients, &two);
	assert_false(clients_enter(clients, &one, 4, 0));
	assert_true(clients_enter(clients, &one, 5, 2));
	clients_leave(clients, &two);
	clients_leave(clients, &local);
	clients_free(clients);

	clients = clients_new();
	for (uint32_t i = 0; i < 20000; i++) {
		struct ip ip = { { 10, 0, (uint8_t)(i >> 8), (uint8_t)i }, 4 };

		assert_true(clients_enter(clients, &ip, 20000, 1));
	}
	for (uint32_t i = 0; i < 20000; i++) {
		struct ip ip = { { 10, 0, (uint8_t)(i >> 8), (uint8_t)i }, 4 };

		clients_leave(clients, &ip);
	}
	assert_true(clients_enter(clients, &one, 1, 1));
	clients_free(clients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_socks),  cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_mx),     cmocka_unit_test(test_policies),
		cmocka_unit_test(test_a_policy_only_adds),
		cmocka_unit_test(test_memory), cmocka_unit_test(test_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
