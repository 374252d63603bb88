/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is taken out of texts before they leave the host, and what is left; programs within bounds. */
#include "../../ctl/redact.h"

#include "../../ctl/bundle.h"
#include "../../ctl/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct { const char *what, *text, *want; } configurations[] = {
	{ "nothing to hide", "binding a {\n    address 192.0.2.1;\n}\n",
	  "binding a {\n    address 192.0.2.1;\n}\n" },
	{ "comments, lines stay", "a; # the password is xyzzy\nb;", "a; \nb;" },
	{ "a comment of one line", "# hidden", "" },
	{ "no comment within quotes", "listen \"/run/#x\";", "listen \"/run/#x\";" },
	{ "a key", "listen \"/x\" {\n key /etc/relay.key;\n certificate \"/etc/relay pem\"; }",
	  "listen \"/x\" {\n key \"[removed]\";\n certificate \"[removed]\"; }" },
	{ "whom users are asked of", "auth file /etc/users; auth socket \"/run/sasl\"; auth required;",
	  "auth file \"[removed]\"; auth socket \"[removed]\"; auth required;" },
	{ "authorities", "tls-ca /etc/ca.pem; tls verify;", "tls-ca \"[removed]\"; tls verify;" },
	{ "words of other versions", "smarthost-password hunter2, hunter3; use acme;",
	  "smarthost-password \"[removed]\", \"[removed]\"; use acme;" },
	{ "somewhere within", "smarthost \"h\" password hunter2 tls; x;",
	  "smarthost \"h\" password \"[removed]\" tls; x;" },
	{ "a name that looks like it", "user \"password-reset\" use acme;",
	  "user \"password-reset\" use acme;" },
	{ "a quote that does not end", "key \"/etc/x;\nb", "key \"[removed]\"" },
	{ "a quote within quotes", "key \"a\\\"b\"; c;", "key \"[removed]\"; c;" },
	{ "nothing", "", "" },
};

static const struct { const char *what, *text, *want; } texts[] = {
	{ "nothing to hide", "user=4001 author=x tokenless password", NULL },
	{ "what was taken out before", "cannot open /etc/relay.key: no", "cannot open [removed]: no" },
	{ "assignments", "password=hunter2 Secret: abc \"api_token\": \"x y\" passwd='z'",
	  "password=[removed] Secret: [removed] \"api_token\": \"[removed] y\" passwd='[removed]'" },
	{ "a URL", "https://bob:pw@host/x http://host:80/a@b",
	  "https://[removed]@host/x http://host:80/a@b" },
	{ "AUTH", "< AUTH PLAIN AGJvYgBwdw==\r\n> 235", "< AUTH PLAIN [removed]\r\n> 235" },
	{ "a private key", "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb",
	  "a\n[removed]\nb" },
	{ "a key that does not end", "-----BEGIN PRIVATE KEY-----\nMIIE", "[removed]" },
	{ "a certificate is none", "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", NULL },
};

static char *run(void (*redact)(struct redact *, const char *, FILE *), struct redact *state,
		 const char *text)
{
	char *got = NULL;
	size_t size;
	FILE *out = open_memstream(&got, &size);

	redact(state, text, out);
	assert_int_equal(fclose(out), 0);
	return got;
}

static void test_configurations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(configurations); i++) {
		AUTO(redact_drop) struct redact redact = { 0 };
		char *got = run(redact_configuration, &redact, configurations[i].text);

		if (strcmp(got, configurations[i].want) != 0)
			fail_msg("%s: got\n%s", configurations[i].what, got);
		free(got);
	}
}

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		AUTO(redact_drop) struct redact redact = { 0 };
		char *got;

		free(run(redact_configuration, &redact, "key /etc/relay.key; key abc;"));
		got = run(redact_text, &redact, texts[i].text);
		if (strcmp(got, texts[i].want ? texts[i].want : texts[i].text) != 0)
			fail_msg("%s: got\n%s", texts[i].what, got);
		free(got);
	}
}

/* Any bytes: it ends, and what it remembers does not come out again. */
static void test_bytes(void **state)
{
	static const char some[] = "key \"\\#;{}/=:@AUTH PLAIN-----BEGIN PRIVATE KEY password\n";
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		AUTO(redact_drop) struct redact redact = { 0 };
		char text[40] = "", *first, *second;

		for (size_t at = 0; at < sizeof text - 1; at++) {
			seed = seed * 1103515245 + 12345;
			text[at] = some[(seed >> 16) % (sizeof some - 1)];
		}
		first = run(redact_configuration, &redact, text);
		second = run(redact_text, &redact, first);
		for (size_t s = 0; s < redact.secrets.n; s++)
			if (!strstr("[removed]", redact.secrets.at[s]))
				assert_null(strstr(second, redact.secrets.at[s]));
		free(first);
		free(second);
	}
}

static void test_programs(void **state)
{
	char *text = NULL;
	bool cut;

	(void)state;
	assert_int_equal(program_read((char *const[]){ "printf", "a%s", "b", NULL }, 100, 5000, &text,
				      &cut), 0);
	assert_string_equal(text, "ab");
	assert_false(cut);
	free(text);
	assert_int_equal(program_read((char *const[]){ "yes", NULL }, 1000, 5000, &text, &cut), 0);
	assert_int_equal(strlen(text), 1000);
	assert_true(cut);
	free(text);
	assert_int_equal(program_read((char *const[]){ "sleep", "60", NULL }, 1000, 50, &text, &cut), 0);
	assert_true(cut);
	free(text);
	assert_int_equal(program_read((char *const[]){ "sh", "-c", "exit 7", NULL }, 10, 5000, &text,
				      &cut), 7);
	free(text);
	assert_int_equal(program_read((char *const[]){ "no-such-program", NULL }, 10, 50, &text, &cut),
			 -ENOENT);
}

static void test_full_disk(void **state)
{
	const struct bundle_member member = { "a", "text", 4 };
	FILE *full = fopen("/dev/full", "we");
	char why[BUNDLE_ERROR] = "";

	(void)state;
	assert_int_equal(bundle_write(fileno(full), &member, 1, 0, why), -ENOSPC);
	assert_true(*why != '\0');
	(void)fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configurations), cmocka_unit_test(test_texts),
		cmocka_unit_test(test_bytes), cmocka_unit_test(test_programs),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
