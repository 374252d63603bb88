/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several files, large files, files of nothing in particular: includes and their loops, a million
 * rules, braces nested a million deep, includes nested ten thousand deep, random bytes.
 */
#include "conf_rows.h"

#include <time.h>

/* Read @at[0] and compare every problem, with paths, to @want. */
static void check_files(const char *what, const struct fake_file *at, size_t n, const char *want)
{
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	struct fake_files files = { at, n };
	int r = fake_read(&files, &model, &diag);
	char *AUTO(mem_drop) got = fake_found(&model, &diag, true);

	if (strcmp(got, want) != 0 || r != (diag.n_errors ? -EINVAL : 0))
		fail_msg("%s: returned %d, got\n%s\nwant\n%s", what, r, got, want);
}

static void test_include(void **unused)
{
	static const struct {
		const char *what, *want;
		struct fake_file files[5];
	} rows[] = {
		{ "relative to the file that includes", "",
		  { { "etc/a.conf", "include \"d/b.conf\"; binding a { address 192.0.2.1; }", 0 },
		    { "etc/d/b.conf", "include c.conf;", 0 },
		    { "etc/d/c.conf", "policy { otherwise use a; }", 0 } } },
		{ "a pattern", "d/2.conf:1:9: binding 'b' is defined twice: expected a name other "
			       "than that at d/1.conf:1:9",
		  { { "a.conf", "include \"d/*.conf\";", 0 },
		    { "d/1.conf", "binding b { address 192.0.2.1; }", 0 },
		    { "d/2.conf", "binding b { address 192.0.2.2; }", 0 },
		    { "d/3.txt", "none of it;", 0 } } },
		{ "a pattern without a match is fine", "", { { "a.conf", "include \"d/*\";", 0 } } },
		{ "a name that is absent is not",
		  "a.conf:2:9: 'b.conf' cannot be read: No such file or directory",
		  { { "a.conf", "\ninclude b.conf;", 0 } } },
		{ "one that may not be read", "a.conf:1:9: 'b.conf' cannot be read: Permission denied",
		  { { "a.conf", "include b.conf;", 0 }, { "b.conf", NULL, 0 } } },
		{ "the first file", "a.conf: 'a.conf' cannot be read: Permission denied",
		  { { "a.conf", NULL, 0 } } },
		{ "a loop of one", "a.conf:1:9: include loop: a.conf -> a.conf",
		  { { "a.conf", "include a.conf;", 0 } } },
		{ "a loop by other paths",
		  ".//d/../d/c.conf:1:9: include loop: b.conf -> .//d/../d/c.conf -> b.conf",
		  { { "a.conf", "include b.conf;", 0 },
		    { "b.conf", "include .//d/../d/c.conf;", 0 },
		    { ".//d/../d/c.conf", "include ./../b.conf;", 0 } } },
		{ "a file twice", "a.conf:2:9: 'b.conf' is included twice: expected each file once",
		  { { "a.conf", "include b.conf;\ninclude b.conf;", 0 }, { "b.conf", "#", 0 } } },
		{ "an empty name", "a.conf:1:9: the file name is empty: expected a path or a pattern",
		  { { "a.conf", "include \"\";", 0 } } },
		{ "problems of all files, in order",
		  "a.conf:1:11: mask '0' has no bits: expected 2 to 32\n"
		  "a.conf:3:21: unknown binding 'x': expected one that is defined\n"
		  "b.conf:1:8: '{' is never closed: expected '}' before the end of the file",
		  { { "a.conf", "mark-mask 0;\ninclude b.conf;\npolicy { user 1 use x; }", 0 },
		    { "b.conf", "policy { user 2 pass;", 0 } } },
		{ "includes are no settings",
		  "a.conf:1:13: found 'include', expected 'address', 'ehlo', 'interface', 'uplink', 'unusable', 'limit', 'overflow', 'warmup', 'probe', 'allow', 'sender-domain', 'require' or '}'",
		  { { "a.conf", "binding a { include b.conf; address 192.0.2.1; }", 0 } } },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = 0;

		while (n < 5 && rows[i].files[n].path)
			n++;
		check_files(rows[i].what, rows[i].files, n, rows[i].want);
	}
}

static void test_model(void **unused)
{
	static const char text[] = "\xef\xbb\xbf"
				   "policy { user mail use use;\r\n unit b.service reject;\r\n"
				   "unit b.service port 25 use default; }\n"
				   "binding use { address 2001:db8::1, 192.0.2.1; unusable default;\n"
				   "allow group mail; }\nbinding default { address 192.0.2.2; }";
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	const struct binding *use;

	(void)unused;
	assert_int_equal(fake_read_text(text, 0, &model, &diag), 0);
	assert_int_equal(model.mask.host, DEFAULT_MASK);
	assert_int_equal(model.bindings.n, 2);
	use = &model.bindings.at[model_find(&model, "use")];
	assert_int_equal(use->first_address, 0);
	assert_int_equal(use->n_addresses, 2);
	assert_int_equal(use->unusable, UNUSABLE_USE);
	assert_int_equal(use->unusable_use, 1);
	assert_int_equal(use->n_allows, 1);
	assert_int_equal(use->allows[0].kind, PEER_GROUP);
	assert_int_equal(use->allows[0].ids.first, 8);
	assert_string_equal(use->allows[0].text, "mail");
	assert_null(use->ehlo);
	assert_int_equal(model.addresses.at[2].binding, 1);
	assert_int_equal(model.rules.n, 3);
	assert_int_equal(model.rules.at[0].binding, 0);
	assert_int_equal(model.rules.at[0].client.ids.last, 8);
	assert_null(model.rules.at[0].to);
	assert_int_equal(model.cgroups.n, 1);
	assert_true(model.cgroups.at[0].is_unit);
	assert_int_equal(model.rules.at[1].binding, NO_INDEX);
	assert_int_equal(model.rules.at[2].binding, 1);
	assert_int_equal(model.rules.at[2].to->ports[0].first, 25);
	assert_int_equal(model.rules.at[2].where.line, 3);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void test_a_million_rules(void **unused)
{
	enum { RULES = 1000 * 1000, BINDINGS = 200 * 1000 };
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	char *AUTO(mem_drop) text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	double start;

	(void)unused;
	assert_non_null(out);
	fputs("mark-mask 0xffffff;\npolicy {\n", out);
	for (int i = 0; i < RULES; i++)
		fprintf(out, "unit u%d.service to 10.%d.0.0/16 port 25 use b%d;\n", i, i % 256,
			i % BINDINGS);
	fputs("}\n", out);
	for (int i = 0; i < BINDINGS; i++)
		fprintf(out, "binding b%d { address 2001:db8::%x:%x; }\n", i, i >> 16, i & 0xffff);
	assert_int_equal(fclose(out), 0);
	start = seconds();
	assert_int_equal(fake_read_text(text, len, &model, &diag), 0);
	assert_int_equal(model.rules.n, RULES);
	assert_int_equal(model.bindings.n, BINDINGS);
	assert_int_equal(model.rules.at[RULES - 1].binding, (RULES - 1) % BINDINGS);
	assert_true(model.arena.used < 64u << 20);
	assert_true(seconds() - start < 60);	/* with sanitizers on a slow host; else about 2 */
}

/* Many times @text, then @end. */
static char *repeated(const char *text, size_t n, const char *end)
{
	size_t len = strlen(text);
	char *all = mem_zero(n * len + strlen(end) + 1, 1);

	for (size_t i = 0; i < n; i++)
		memcpy(all + i * len, text, len);
	strcpy(all + n * len, end);
	return all;
}

static void test_depth(void **unused)
{
	enum { DEEP = 1000 * 1000, INCLUDES = 10 * 1000 };
	char *AUTO(mem_drop) braces = repeated("{", DEEP, "");
	char *AUTO(mem_drop) commas = repeated("1,", DEEP, "2 pass; }");
	char *AUTO(mem_drop) list = mem_zero(strlen(commas) + 64, 1);
	struct fake_file *AUTO(mem_drop) files = mem_zero(INCLUDES, sizeof *files);
	char (*AUTO(mem_drop) texts)[2][32] = mem_zero(INCLUDES, sizeof *texts);

	(void)unused;
	check_files("braces", &(struct fake_file){ "main.conf", braces, 0 }, 1,
		    "main.conf:1:1: found '{', expected 'mark-mask', 'flow-log', 'port-warning', 'include', 'bypass', "
		"'binding', 'policy', 'default-binding', 'uplink', 'group', 'relay', 'metrics' or 'dns'\n"
		    "main.conf:1:1: '{' is never closed: expected '}' before the end of the file");
	sprintf(list, "policy { otherwise port %s", commas);
	check_files("a long list", &(struct fake_file){ "main.conf", list, 0 }, 1, "");
	for (int i = 0; i < INCLUDES; i++) {
		sprintf(texts[i][0], "%d", i);
		sprintf(texts[i][1], i + 1 < INCLUDES ? "include %d;" : "mark-mask 0;", i + 1);
		files[i] = (struct fake_file){ texts[i][0], texts[i][1], 0 };
	}
	check_files("a chain of includes", files, INCLUDES,
		    "9999:1:11: mask '0' has no bits: expected 2 to 32");
}

/* Pieces of the language and of nothing, put together at random: no crash, and never silence. */
static void test_random(void **unused)
{
	static const char *const pieces[] = {
		"mark-mask ", "include ", "bypass ", "binding ", "policy ", "address ", "ehlo ",
		"interface ", "unusable ", "allow ", "unit ", "cgroup ", "user ", "group ", "source ",
		"otherwise ", "uplink ", "gateway ", "table ", "member ", "weight ", "pick random", "limit ",
		"connections ", "new ", "5/second ", "burst ", "per destination", "overflow ", "warmup ",
		"day ", "probe ", "icmp ", "tcp ", "every ", "1s ", "down ", "up ", "routed ",
		"default-binding ", "remove ", "suspend ", "resume ", "to ", "port ", "protocol ", "use ", "pass", "reject", "default", "{",
		"}", ";", ",", "\n", "\"", "\\", "#", "a ", "192.0.2.1 ", "10.0.0.0/8 ", "x.service ",
		"/a ", "1-5 ", "\xc3\xbc", "\xff", "\x01", "; }", "{ ", ";\n",
	};
	uint64_t state = 1;

	(void)unused;
	for (int round = 0; round < 20000; round++) {
		AUTO(model_drop) struct model model = { 0 };
		AUTO(diag_drop) struct diag diag = { 0 };
		char text[512] = "";
		int r;

		for (size_t len = 0; len < 400; len = strlen(text)) {
			state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
			strcat(text, pieces[(state >> 33) % ARRAY_LEN(pieces)]);
			if ((state >> 60) == 0)
				break;
		}
		r = fake_read_text(text, 0, &model, &diag);
		if (r != (diag.n_errors ? -EINVAL : 0))
			fail_msg("returned %d with %zu errors:\n%s", r, diag.n_errors, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_a_million_rules),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
