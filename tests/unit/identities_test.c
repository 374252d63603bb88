/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was found about addresses: for how long it counts, and the file that it is kept in. */
#include "base/mem.h"
#include "plan/identities.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { KEEP = 3600 };

static void put(struct identities *identities, const char *ip, enum identity_state fcrdns,
		int64_t now, const char *words)
{
	enum identity_state before[IDENTITY_CHECKS];
	struct identity found = { .binding = mem_text("acme", 4), .checked = now };

	assert_int_equal(ip_parse(ip, &found.ip), 0);
	found.state[IDENTITY_FCRDNS] = fcrdns;
	found.words[IDENTITY_FCRDNS] = words ? mem_copy(words) : NULL;
	identities_put(identities, &found, before);
	assert_null(found.binding);
}

static const struct {
	const char *what;
	const char *reports;			/* of FCrDNS, one a 1000 seconds: g b u, . nothing */
	const char *want;			/* 1: it counts then */
} rows[] = {
	{ "nothing is known", "....", "0000" },
	{ "what agreed counts", "gggg", "1111" },
	{ "for an hour without a word", "g.....", "111100" },
	{ "or while DNS fails", "guuuuu", "111100" },
	{ "and anew when it agrees again", "guuuguuuu", "111111110" },
	{ "what DNS denies does not", "gbbb", "1000" },
	{ "no word is not a better one", "gbuu", "1000" },
	{ "until it agrees", "gbug", "1001" },
	{ "who fails from the start never counted", "uuuu", "0000" },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct identities identities = { 0 };
		char got[16] = "";

		for (size_t k = 0; rows[i].reports[k]; k++) {
			int64_t now = 1000000 + (int64_t)k * 1000;
			const struct identity *found;
			struct ip ip;

			if (rows[i].reports[k] != '.')
				put(&identities, "192.0.2.11",
				    rows[i].reports[k] == 'g'	? IDENTITY_GOOD
				    : rows[i].reports[k] == 'b' ? IDENTITY_BAD
								: IDENTITY_UNKNOWN,
				    now, NULL);
			(void)identities_judge(&identities, now, KEEP);
			assert_int_equal(ip_parse("192.0.2.11", &ip), 0);
			found = identities_find(&identities, &ip);
			got[k] = found && found->counts ? '1' : '0';
		}
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s: got %s, want %s", rows[i].what, rows[i].reports, got,
				 rows[i].want);
		identities_drop(&identities);
	}
}

static void test_clock(void **state)
{
	struct identities identities = { 0 };

	(void)state;
	put(&identities, "192.0.2.11", IDENTITY_GOOD, 2000000, NULL);
	assert_true(identities_judge(&identities, 2000000, KEEP));
	assert_false(identities_judge(&identities, 1000000, KEEP));	/* set back: counts from then on */
	assert_false(identities_judge(&identities, 1000000 + KEEP, KEEP));
	assert_true(identities_judge(&identities, 1000001 + KEEP, KEEP));
	identities_drop(&identities);
}

static char *written(const struct identities *identities)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	identities_write(identities, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static const char file[] =
	"outbind-identities 1\n"
	"192.0.2.11 acme 1000 900 good/good unasked/unasked unasked/unasked unasked/unasked "
	"unasked/unasked\n"
	"192.0.2.12 acme 1000 0 bad/bad unasked/unasked unasked/unasked unasked/unasked "
	"unasked/unasked\n"
	"\t0 192.0.2.12 has no PTR record\n"
	"2001:db8::11 acme 1000 0 unknown/bad unasked/unasked unasked/unasked unasked/unasked "
	"unasked/unasked\n";

static void test_file(void **state)
{
	struct identities identities = { 0 }, again = { 0 };
	uint32_t line;
	char *text;

	(void)state;
	put(&identities, "2001:db8::11", IDENTITY_BAD, 950, NULL);
	put(&identities, "2001:db8::11", IDENTITY_UNKNOWN, 1000, NULL);
	put(&identities, "192.0.2.12", IDENTITY_BAD, 1000, "192.0.2.12 has no PTR record");
	put(&identities, "192.0.2.11", IDENTITY_GOOD, 900, NULL);
	put(&identities, "192.0.2.11", IDENTITY_GOOD, 1000, NULL);
	identities.at[0].agreed = 900;
	text = written(&identities);
	assert_string_equal(text, file);
	assert_int_equal(identities_read(text, strlen(text), &again, &line), 0);
	free(text);
	text = written(&again);
	assert_string_equal(text, file);
	free(text);
	identities_drop(&identities);
	identities_drop(&again);
}

static const struct { const char *what, *text; uint32_t line; } bad[] = {
#define STATES	" good/good good/good good/good good/good good/good\n"
#define HEAD	"outbind-identities 1\n"
	{ "another version", "outbind-identities 2\n", 1 },
	{ "no address", HEAD "x acme 1 1" STATES, 2 },
	{ "no time", HEAD "192.0.2.1 acme 1 x" STATES, 2 },
	{ "a negative time", HEAD "192.0.2.1 acme 1 -1" STATES, 2 },
	{ "a check too few", HEAD "192.0.2.1 acme 1 1 good/good good/good good/good good/good\n", 2 },
	{ "a check too many", HEAD "192.0.2.1 acme 1 1 good/good good/good good/good good/good "
	  "good/good good/good\n", 2 },
	{ "no such state", HEAD "192.0.2.1 acme 1 1 best/good good/good good/good good/good good/good\n",
	  2 },
	{ "not in order", HEAD "192.0.2.2 acme 1 1" STATES "192.0.2.1 acme 1 1" STATES, 3 },
	{ "twice", HEAD "192.0.2.1 acme 1 1" STATES "192.0.2.1 acme 1 1" STATES, 3 },
	{ "words of nobody", HEAD "\t0 x\n", 2 },
	{ "words of no check", HEAD "192.0.2.1 acme 1 1" STATES "\t5 x\n", 3 },
	{ "words twice", HEAD "192.0.2.1 acme 1 1" STATES "\t0 x\n\t0 y\n", 4 },
	{ "half a line", HEAD "192.0.2.1 acme 1 1 good/", 2 },
};

static void test_bad_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct identities identities;
		uint32_t line = 0;

		if (identities_read(bad[i].text, strlen(bad[i].text), &identities, &line) !=
			    -EINVAL || line != bad[i].line || identities.n != 0)
			fail_msg("%s: line %u", bad[i].what, line);
	}
}

/* What comes from DNS is one harmless line. */
static void test_words(void **state)
{
	struct identities identities = { 0 };
	char words[1000], *text;

	(void)state;
	memset(words, 'x', sizeof words);
	memcpy(words, "a\n192.0.2.99\x1b[31m", 17);
	words[sizeof words - 1] = '\0';
	put(&identities, "192.0.2.11", IDENTITY_BAD, 1000, words);
	assert_int_equal(strlen(identities.at[0].words[IDENTITY_FCRDNS]), IDENTITY_WORDS - 1);
	assert_memory_equal(identities.at[0].words[IDENTITY_FCRDNS], "a?192.0.2.99?[31m", 17);
	text = written(&identities);
	assert_null(strstr(text, "\n192.0.2.99"));
	free(text);
	identities_drop(&identities);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
