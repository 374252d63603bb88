/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text to model to text: the canonical form of a rich configuration is the golden one, reading that
 * gives it again, and single statements take their shortest form. Run from the project's root.
 */
#include "conf_rows.h"

#define GOLDEN	"tests/golden/conf/"

static char *golden(const char *path, size_t *ret_len)
{
	char *text = NULL;

	if (conf_system.read_file(NULL, path, &text, ret_len) < 0)
		fail_msg("%s: cannot be read", path);
	return text;
}

/* Canonical form of @text; fails the test if it has problems. */
static char *canonical(const char *text, size_t len)
{
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };

	if (fake_read_text(text, len, &model, &diag) < 0 || diag.n)
		fail_msg("problems:\n%s", fake_found(&model, &diag, true));
	return fake_printed(&model);
}

static void test_golden(void **unused)
{
	size_t len = 0, want_len = 0;
	char *AUTO(mem_drop) text = golden(GOLDEN "rich.conf", &len);
	char *AUTO(mem_drop) want = golden(GOLDEN "rich.canonical", &want_len);
	char *AUTO(mem_drop) got = canonical(text, len);
	char *AUTO(mem_drop) again = canonical(got, strlen(got));

	(void)unused;
	assert_string_equal(got, want);
	assert_string_equal(again, got);
}

static void test_shortest_form(void **unused)
{
	static const struct {
		const char *what, *rule, *want;
	} rows[] = {
		{ "ports are merged", "otherwise port 5,3-4,1,65535 pass", "port 1,3-5,65535" },
		{ "the last port", "otherwise port 65535,65534-65535 pass", "port 65534-65535" },
		{ "all protocols are none", "otherwise port 1-2 protocol sctp,udp,tcp,dccp,udplite "
		  "pass", "port 1-2" },
		{ "covered prefixes go", "otherwise to 10.0.0.0/8,10.1.0.0/16,10.2.3.4 pass",
		  "to 10.0.0.0/8" },
		{ "halves are joined", "otherwise to 192.0.2.3,192.0.2.0/31,192.0.2.2 pass",
		  "to 192.0.2.0/30" },
		{ "neighbours that are no halves stay", "otherwise to 192.0.2.1,192.0.2.2 pass",
		  "to 192.0.2.1,192.0.2.2" },
		{ "two halves of everything", "otherwise to ::/1,8000::/1 pass", "to ::/0" },
		{ "order of qualifiers", "otherwise protocol 6 port 25 to 10.0.0.0/8 pass",
		  "to 10.0.0.0/8 port 25 protocol tcp" },
		{ "icmp is two", "otherwise protocol 58,1 pass", "protocol icmp" },
		{ "one of the two", "otherwise protocol 1 pass", "protocol 1" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[256], want[256];
		char *AUTO(mem_drop) got = NULL;

		snprintf(text, sizeof text, "policy { %s; }", rows[i].rule);
		snprintf(want, sizeof want, "mark-mask 0x1fff;\n\npolicy {\n    otherwise %s pass;\n}\n",
			 rows[i].want);
		got = canonical(text, 0);
		if (strcmp(got, want) != 0)
			fail_msg("%s: got\n%s\nwant\n%s", rows[i].what, got, want);
	}
}

static void test_single_statements(void **unused)
{
	static const char text[] = "binding a { address 192.0.2.1; }\n"
				   "policy { user www-data port 25 use a; }";
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	char *AUTO(mem_drop) got = NULL;
	size_t len;
	FILE *out = open_memstream(&got, &len);

	(void)unused;
	assert_non_null(out);
	assert_int_equal(fake_read_text(text, 0, &model, &diag), 0);
	conf_print_rule(&model, &model.rules.at[0], out);
	conf_print_binding(&model, 0, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(got, "user www-data port 25 use a;"
				 "binding a {\n    address 192.0.2.1;\n}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_shortest_form),
		cmocka_unit_test(test_single_statements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
