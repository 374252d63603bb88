/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A change text in items: which there are, and that their texts, joined in any order, mean the same
 * as the text did.
 */
#include "conf_rows.h"

static const char *const kinds[] = { "binding", "group", "uplink", "rule", "bypass", "default",
				     "suspend" };

/* "kind[-] key | text", one a line. */
static char *shown(const struct items *items)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	for (size_t i = 0; i < items->n; i++)
		fprintf(out, "%s%s %s | %s", kinds[items->at[i].kind],
			items->at[i].remove ? "-" : "", items->at[i].key, items->at[i].text);
	if (fclose(out) != 0)
		abort();
	return text;
}

static void test_items(void **unused)
{
	static const char text[] =
		"\xef\xbb\xbf# what a night shift typed\n"
		"binding \"a\" { address 192.0.2.1; # its only one\n}  group g { member nobody; }\n"
		"uplink u{interface eth0;}policy { user www-data port 25,24 use nobody; # why\n"
		"\tcgroup \"/x y\" pass;}bypass { 10.0.0.0/8;private; private; }\n"
		"default-binding reject; suspend a; resume \"b c\";\n"
		"remove binding d;remove group e; remove uplink f; remove policy { user 5;\n"
		"otherwise protocol tcp; } remove bypass { connected; }";
	static const char want[] =
		"binding a | binding \"a\" { address 192.0.2.1; # its only one\n}\n"
		"group g | group g { member nobody; }\n"
		"uplink u | uplink u{interface eth0;}\n"
		"rule user 33 port 24-25 | policy { user www-data port 25,24 use nobody; }\n"
		"rule cgroup \"/x y\" | policy { cgroup \"/x y\" pass; }\n"
		"bypass 10.0.0.0/8 | bypass { 10.0.0.0/8; }\n"
		"bypass private | bypass { private; }\n"
		"default default-binding | default-binding reject;\n"
		"suspend a | suspend a;\n"
		"suspend- b c | resume \"b c\";\n"
		"binding- d | remove binding d;\n"
		"group- e | remove group e;\n"
		"uplink- f | remove uplink f;\n"
		"rule- user 5 | remove policy { user 5; }\n"
		"rule- otherwise protocol tcp | remove policy { otherwise protocol tcp; }\n"
		"bypass- connected | remove bypass { connected; }\n";
	AUTO(items_drop) struct items items = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	char *AUTO(mem_drop) got = NULL;

	(void)unused;
	assert_int_equal(fake_items(text, &items, &diag), 0);
	got = shown(&items);
	assert_string_equal(got, want);
	assert_int_equal(items.at[1].where.line, 3);
	assert_int_equal(items.at[1].where.column, 10);
}

static void test_refused(void **unused)
{
	static const struct row rows[] = {
		{ .what = "twice", .text = "binding a { } group a { member b; }\n"
		  "policy { user 33 pass; user www-data reject; }\n"
		  "default-binding normal; default-binding reject;",
		  .want = "1:21: group 'a' has the name of the binding at change:1:9: expected another "
			"name, since rules use both by name\n"
			"2:24: this rule has the same client and the same destination as the rule at "
			"change:2:10: expected one of them only\n"
			"3:25: 'default-binding' is given twice: expected once, as at change:3:1" },
		{ .what = "a contradiction", .text = "binding a { } remove binding a;",
		  .want = "1:30: the opposite is said at change:1:9: expected one of them in one change" },
		{ .what = "form", .text = "binding a { address x; } foo",
		  .want = "1:21: 'x' is not an address: expected IPv4 or IPv6, such as 192.0.2.1 or "
			"2001:db8::1\n"
			"1:26: found 'foo', expected 'bypass', 'binding', 'policy', 'default-binding', "
			"'remove', 'suspend', 'resume', 'uplink' or 'group'" },
		{ .what = "a name used that nothing has is no matter of form",
		  .text = "policy { user 1 use gone; }", .want = "" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(items_drop) struct items items = { 0 };
		AUTO(diag_drop) struct diag diag = { 0 };
		struct model model = { 0 };
		const char *name = "change";
		char *AUTO(mem_drop) got = NULL;
		int r = fake_items(rows[i].text, &items, &diag);

		model.files.at = &name;
		model.files.n = 1;
		got = fake_found(&model, &diag, false);
		if (strcmp(got, rows[i].want) != 0 || r != (*got ? -EINVAL : 0) || (r && items.n))
			fail_msg("%s: returned %d, got\n%s", rows[i].what, r, got);
	}
}

static uint64_t state = 7;

static uint32_t roll(uint32_t n)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(state >> 33) % n;
}

/* Bindings b0 to b7, groups g0 to g3, uplinks u0 to u3: those of one @turn never clash. */
static void print_thing(FILE *out, uint32_t turn)
{
	uint32_t n = turn / 8;

	switch (turn % 8) {
	case 0:
		fprintf(out, "binding \"b%u\" {\taddress 192.0.2.%u;# one\n", n % 8, n % 8 + 1);
		fprintf(out, roll(2) ? "} " : "limit new %u/second; probe icmp 203.0.113.9 every 1s;\n}",
			roll(9) + 1);
		break;
	case 1:
		fprintf(out, "group g%u { member b%u weight %u; }\n", n % 4, roll(8), roll(9) + 1);
		break;
	case 2:
		fprintf(out, "uplink u%u { interface eth%u; }", n % 4, roll(4));
		break;
	case 3:
		fprintf(out, "policy{user %u port 25,%u use %c%u;\nuser %u pass;}", n, roll(4) + 26,
			roll(2) ? 'g' : 'b', roll(4), n + 100);
		break;
	case 4:
		fprintf(out, "bypass {\n10.%u.0.0/16; private; %s }", roll(4), roll(2) ? "connected;" : "");
		break;
	case 5:
		fprintf(out, "remove policy { user %u; source 10.0.%u.0/24; } ", n + 1000, n);
		break;
	case 6:
		fprintf(out, "suspend b%u;\nremove binding x%u;", n % 8, n);
		break;
	case 7:
		fprintf(out, "resume g%u; remove bypass { 172.16.%u.0/24; }\n", n % 4, n);
		break;
	}
}

static char *random_change(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	/* every binding and group, or the others would name nothing */
	for (uint32_t i = 0; i < 12; i++)
		print_thing(out, i < 8 ? 8 * i : 8 * i + 1);
	for (uint32_t turn = 0; turn < 32; turn++)
		if (turn % 8 > 1 && roll(3))
			print_thing(out, turn);
	if (fclose(out) != 0)
		abort();
	return text;
}

static char *shuffled(struct items *items)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	for (size_t left = items->n; left; left--) {
		size_t i = roll((uint32_t)left);
		struct item last = items->at[left - 1];

		fputs(items->at[i].text, out);
		items->at[left - 1] = items->at[i];
		items->at[i] = last;
	}
	if (fclose(out) != 0)
		abort();
	return text;
}

static int compare_parts(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* What @change gives over a file, its blocks in order of their text: their own order means nothing. */
static char *meaning(const char *change)
{
	struct fake_file file = { "main.conf", "binding f { address 198.51.100.1; }\n"
				  "binding x1 { address 198.51.100.2; }\n"
				  "policy { user 0 pass; user 1001 reject; }\n"
				  "bypass { 172.16.1.0/24; 172.16.9.0/24; }", 0 };
	struct fake_files files = { &file, 1 };
	const struct conf_layer layers[] = { { "empty", "", 0 }, { "change", change, strlen(change) } };
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	char *AUTO(mem_drop) text = NULL;
	char *parts[64], *out = NULL;
	size_t n = 0, len;
	FILE *stream = open_memstream(&out, &len);

	if (!stream || fake_read_layers(&files, layers, 2, &model, &diag) < 0)
		fail_msg("%s\n%s", fake_found(&model, &diag, true), change);
	text = fake_printed(&model);
	for (char *at = text; at && n < 60; n++) {
		char *end = strstr(at, "\n\n");

		parts[n] = at;
		at = end ? end + 2 : NULL;
		if (end)
			*end = '\0';
		else
			parts[n][strlen(parts[n]) - 1] = '\0';
	}
	for (size_t i = 0; i < model.suspended.n; i++)
		parts[n++] = strdupa(model.suspended.at[i]);
	qsort(parts, n, sizeof *parts, compare_parts);
	for (size_t i = 0; i < n; i++)
		fprintf(stream, "%s\n", parts[i]);
	if (fclose(stream) != 0)
		abort();
	return out;
}

static void test_any_order(void **unused)
{
	(void)unused;
	for (int round = 0; round < 500; round++) {
		AUTO(items_drop) struct items items = { 0 }, again = { 0 };
		AUTO(diag_drop) struct diag diag = { 0 };
		char *AUTO(mem_drop) text = random_change();
		char *AUTO(mem_drop) joined = NULL;
		char *AUTO(mem_drop) want = meaning(text);
		char *AUTO(mem_drop) got = NULL;

		assert_int_equal(fake_items(text, &items, &diag), 0);
		joined = shuffled(&items);
		got = meaning(joined);
		if (strcmp(got, want) != 0)
			fail_msg("round %d: got\n%s\nwant\n%s\nof\n%s", round, got, want, joined);
		assert_int_equal(fake_items(joined, &again, &diag), 0);
		assert_int_equal(again.n, items.n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
