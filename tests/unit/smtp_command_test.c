/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands and addresses: what is taken, and with which words the rest is refused. */
#include "smtp/base64.h"
#include "smtp/caps.h"
#include "smtp/command.h"
#include "smtp/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void print_text(char *out, const char *name, struct text text)
{
	if (text.len > 0)
		sprintf(out + strlen(out), " %s=%.*s", name, (int)text.len, text.at);
}

static void describe(const char *line, bool lmtp, char *out)
{
	struct command command = { 0 };
	struct refusal_text refusal =
		command_parse((struct text){ line, strlen(line) }, lmtp, &command);

	if (refusal.code) {
		sprintf(out, "%d %.5s", refusal.code, refusal.text);
		return;
	}
	sprintf(out, "verb %d", (int)command.verb);
	print_text(out, "arg", command.argument);
	print_text(out, "address", command.path.address);
	print_text(out, "domain", command.path.domain);
	if (command.has_size)
		sprintf(out + strlen(out), " size=%llu", (unsigned long long)command.size);
	if (command.body == BODY_8BITMIME)
		strcat(out, " 8bit");
	if (command.smtputf8)
		strcat(out, " utf8");
	print_text(out, "ret", command.ret);
	print_text(out, "envid", command.envid);
	print_text(out, "xoutbind", command.xoutbind);
	print_text(out, "notify", command.notify);
	print_text(out, "orcpt", command.orcpt);
	print_text(out, "initial", command.initial);
}

static const struct { const char *line, *want; bool lmtp; } commands[] = {
	{ "EHLO mx.example", "verb 1 arg=mx.example", false },
	{ "ehlo [192.0.2.1]", "verb 1 arg=[192.0.2.1]", false },
	{ "EHLO", "501 5.5.4", false },
	{ "EHLO a b", "501 5.5.4", false },
	{ "EHLO -x", "501 5.5.4", false },
	{ "LHLO a", "500 5.5.1", false },
	{ "LHLO a", "verb 3 arg=a", true },
	{ "EHLO a", "500 5.5.1", true },
	{ "EHL a", "500 5.5.1", false },
	{ "EHLOX a", "500 5.5.1", false },
	{ "", "500 5.5.1", false },
	{ "MAIL FROM:<a@b.example>", "verb 4 address=a@b.example domain=b.example", false },
	{ "mail from: <a@b>", "verb 4 address=a@b domain=b", false },
	{ "MAIL FROM:<>", "verb 4", false },
	{ "MAIL FROM:a@b", "501 5.1.7", false },
	{ "MAIL FROM:<a@b", "501 5.1.7", false },
	{ "MAIL FROM:<a@b>x", "501 5.5.4", false },
	{ "MAIL FROM:<a b@c>", "501 5.1.7", false },
	{ "MAIL FROM:<a..b@c>", "501 5.1.7", false },
	{ "MAIL FROM:<.a@c>", "501 5.1.7", false },
	{ "MAIL FROM:<a@b@c>", "501 5.1.7", false },
	{ "MAIL FROM:<a@>", "501 5.1.7", false },
	{ "MAIL FROM:<@c>", "501 5.1.7", false },
	{ "MAIL FROM:<\"a b\"@c>", "verb 4 address=\"a b\"@c domain=c", false },
	{ "MAIL FROM:<\"a\\\"@b\"@c>", "verb 4 address=\"a\\\"@b\"@c domain=c", false },
	{ "MAIL FROM:<\"a@c>", "501 5.1.7", false },
	{ "MAIL FROM:<@r.example,@s.example:a@b>", "verb 4 address=a@b domain=b", false },
	{ "MAIL FROM:<@r.example:>", "501 5.1.7", false },
	{ "MAIL FROM:<a@[192.0.2.1]>", "verb 4 address=a@[192.0.2.1] domain=[192.0.2.1]", false },
	{ "MAIL FROM:<a@b> SIZE=10 BODY=8BITMIME", "verb 4 address=a@b domain=b size=10 8bit", false },
	{ "MAIL FROM:<a@b> SIZE=1 SIZE=1", "501 5.5.4", false },
	{ "MAIL FROM:<a@b> SIZE=x", "501 5.5.4", false },
	{ "MAIL FROM:<a@b> SIZE=99999999999999999999", "501 5.5.4", false },
	{ "MAIL FROM:<a@b> BODY=9BIT", "501 5.5.4", false },
	{ "MAIL FROM:<a@b> SMTPUTF8", "verb 4 address=a@b domain=b utf8", false },
	{ "MAIL FROM:<a@b> SMTPUTF8=x", "501 5.5.4", false },
	{ "MAIL FROM:<a@b> RET=FULL ENVID=x+20", "verb 4 address=a@b domain=b ret=FULL envid=x+20", false },
	{ "MAIL FROM:<a@b> ENVID=x+2", "501 5.5.4", false },
	{ "MAIL FROM:<a@b> XOUTBIND=acme", "verb 4 address=a@b domain=b xoutbind=acme", false },
	{ "MAIL FROM:<a@b> XOUTBIND=a:b", "501 5.5.4", false },
	{ "MAIL FROM:<a@b> NONSENSE", "555 5.5.4", false },
	{ "MAIL FROM:<a@b> NOTIFY=NEVER", "555 5.5.4", false },
	{ "RCPT TO:<a@b>", "verb 5 address=a@b domain=b", false },
	{ "RCPT TO:<>", "501 5.1.3", false },
	{ "RCPT TO:<Postmaster>", "verb 5 address=Postmaster", false },
	{ "RCPT TO:<someone>", "501 5.1.3", false },
	{ "RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b",
	  "verb 5 address=a@b domain=b notify=SUCCESS,DELAY orcpt=rfc822;a@b", false },
	{ "RCPT TO:<a@b> NOTIFY=NEVER,DELAY", "501 5.5.4", false },
	{ "DATA", "verb 6", false },
	{ "DATA x", "501 5.5.4", false },
	{ "QUIT ", "verb 9", false },
	{ "AUTH PLAIN AGEAYg==", "verb 13 arg=PLAIN initial=AGEAYg==", false },
	{ "AUTH", "501 5.5.4", false },
	{ "BDAT 10 LAST", "verb 14 arg=10 LAST", false },
};

static void test_commands(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		char got[512];

		describe(commands[i].line, commands[i].lmtp, got);
		if (strcmp(got, commands[i].want) != 0)
			fail_msg("'%s': got '%s', want '%s'", commands[i].line, got, commands[i].want);
	}
}

static void test_long_addresses(void **state)
{
	char line[600], got[1200];

	(void)state;
	snprintf(line, sizeof line, "MAIL FROM:<%.*s@b>", 65, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	describe(line, false, got);
	assert_string_equal(got, "501 5.1.7");
	memset(line, 0, sizeof line);
	strcpy(line, "MAIL FROM:<a@");
	memset(line + strlen(line), 'b', 256);
	strcat(line, ">");
	describe(line, false, got);
	assert_string_equal(got, "501 5.1.7");
}

static void test_caps(void **state)
{
	static const char *const lines[] = { "SIZE 1000", "pipelining", "CHUNKING", "AUTH PLAIN LOGIN CRAM-MD5", "DSN",
					     "LIMITS RCPTMAX=5 MAILMAX=2", "STARTTLS", "8BITMIME", "SIZE x" };
	AUTO(buffer_drop) struct buffer out = { 0 };
	struct caps caps = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		caps_add(&caps, (struct text){ lines[i], strlen(lines[i]) });
	caps_print(&caps, &out);
	buffer_put(&out, "", 1);
	assert_string_equal((const char *)buffer_bytes(&out),
			    "250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-DSN\r\n250-STARTTLS\r\n"
			    "250-AUTH PLAIN LOGIN\r\n250-LIMITS RCPTMAX=5\r\n");
	assert_int_equal(caps.mail_max, 2);
}

static void test_base64(void **state)
{
	static const struct { const char *text; ssize_t want; const char *octets; } rows[] = {
		{ "", 0, "" }, { "Zg==", 1, "f" }, { "Zm8=", 2, "fo" }, { "Zm9v", 3, "foo" }, { "Zm9vYg==", 4, "foob" },
		{ "Zg=", -EINVAL, "" }, { "Zg", -EINVAL, "" }, { "Z===", -EINVAL, "" }, { "Zh==", -EINVAL, "" },
		{ "Zm 8", -EINVAL, "" }, { "=m9v", -EINVAL, "" }, { "Zm9vYmFy", -EMSGSIZE, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t got[5];
		ssize_t r = base64_decode((struct text){ rows[i].text, strlen(rows[i].text) }, got,
					  sizeof got);

		if (r != rows[i].want || (r > 0 && memcmp(got, rows[i].octets, (size_t)r) != 0))
			fail_msg("'%s': got %zd, want %zd", rows[i].text, r, rows[i].want);
	}
}

static void test_trace_field(void **state)
{
	AUTO(buffer_drop) struct buffer out = { 0 };
	struct received received = { .helo = "a)\r\nX: y", .client = "192.0.2.1", .by = "mx.example", .with = "ESMTP",
				     .id = "1.2", .rcpt = "b@c", .when = 0 };

	(void)state;
	received_print(&received, &out);
	buffer_put(&out, "", 1);
	assert_string_equal((const char *)buffer_bytes(&out),
			    "Received: from a???X:?y ([192.0.2.1])\r\n\tby mx.example (outbind) with ESMTP id 1.2\r\n"
			    "\tfor <b@c>;\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),    cmocka_unit_test(test_long_addresses),
		cmocka_unit_test(test_caps),	    cmocka_unit_test(test_base64),
		cmocka_unit_test(test_trace_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
