/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run-time texts over the files: the first that says something about a thing wins, what is removed
 * is gone, and what cannot be is said with the places of both who do not agree.
 */
#include "conf_rows.h"

struct layer_row {
	const char *what;
	const char *layers[3];			/* called one, two, three */
	const char *file;			/* main.conf; NULL: none */
	const char *want;			/* canonical text without its first line, or problems */
	const char *suspended;			/* names, each with a space behind */
};

static char *result(const struct layer_row *row, char **ret_suspended)
{
	static const char *const names[] = { "one", "two", "three" };
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	struct conf_layer layers[3];
	struct fake_file file = { "main.conf", row->file, 0 };
	struct fake_files files = { &file, 1 };
	size_t n = 0;

	for (; n < 3 && row->layers[n]; n++)
		layers[n] = (struct conf_layer){ names[n], row->layers[n], strlen(row->layers[n]) };
	*ret_suspended = mem_zero(256, 1);
	if (fake_read_layers(row->file ? &files : NULL, layers, n, &model, &diag) < 0)
		return fake_found(&model, &diag, true);
	assert_int_equal(model.n_layers, n);
	for (size_t i = 0; i < model.suspended.n; i++)
		sprintf(*ret_suspended + strlen(*ret_suspended), "%s ", model.suspended.at[i]);
	return fake_printed(&model);
}

static void check_layers(const struct layer_row *rows, size_t n)
{
	static const char mask[] = "mark-mask 0x1fff;\n";
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++) {
		char *AUTO(mem_drop) suspended = NULL;
		char *AUTO(mem_drop) whole = result(&rows[i], &suspended);
		bool printed = strncmp(whole, mask, strlen(mask)) == 0;
		const char *got = whole + (printed ? strlen(mask) : 0);
		const char *want = rows[i].suspended ? rows[i].suspended : "";

		if (strcmp(got, rows[i].want) == 0 && strcmp(suspended, want) == 0)
			continue;
		print_error("%s: got:\n%s\nwant:\n%s\nsuspended: %s\n", rows[i].what, got,
			    rows[i].want, suspended);
		wrong++;
	}
	if (wrong)
		fail_msg("%zu of %zu rows", wrong, n);
}

static const struct layer_row winning_rows[] = {
	{ .what = "a binding of the layer replaces the file's, whole",
	  .layers = { "binding a { address 192.0.2.9; }" },
	  .file = "binding a { address 192.0.2.1; ehlo a.example; unusable use gone; }\n"
		"binding b { address 192.0.2.2; unusable use a; }",
	  .want = "\nbinding a {\n    address 192.0.2.9;\n}\n"
		"\nbinding b {\n    address 192.0.2.2;\n    unusable use a;\n}\n" },
	{ .what = "the first of three wins; the last address may then be another's",
	  .layers = { "binding a { address 192.0.2.7; }", "binding a { address 192.0.2.8; }" },
	  .file = "binding a { address 192.0.2.1; }\nbinding b { address 192.0.2.8; }",
	  .want = "\nbinding a {\n    address 192.0.2.7;\n}\n\nbinding b {\n    address 192.0.2.8;\n}\n" },
	{ .what = "no files",
	  .layers = { "binding a { address 192.0.2.7; }" },
	  .want = "\nbinding a {\n    address 192.0.2.7;\n}\n" },
	{ .what = "a group takes the place of a binding",
	  .layers = { "group a { member b; }" },
	  .file = "binding a { address 192.0.2.1; }\nbinding b { address 192.0.2.2; }",
	  .want = "\ngroup a {\n    member b;\n}\n\nbinding b {\n    address 192.0.2.2;\n}\n" },
	{ .what = "uplinks",
	  .layers = { "uplink u { interface eth9; }" },
	  .file = "uplink u { interface eth0; table 5; }\nuplink v { interface eth1; table 5; }\n"
		"binding a { address 192.0.2.1; uplink u; }",
	  .want = "\nuplink u {\n    interface eth9;\n}\n\nuplink v {\n    interface eth1;\n    table 5;\n}\n"
		"\nbinding a {\n    address 192.0.2.1;\n    uplink u;\n}\n" },
	{ .what = "a rule by client and destination, however they are written",
	  .layers = { "policy { user 33 to 10.0.0.0/9, 10.128.0.0/9 reject; }" },
	  .file = "policy { user www-data to 10.0.0.0/8 use nobody; user www-data pass; }",
	  .want = "\npolicy {\n    user 33 to 10.0.0.0/8 reject;\n    user www-data pass;\n}\n" },
	{ .what = "default-binding",
	  .layers = { "default-binding reject;" },
	  .file = "default-binding normal;",
	  .want = "\ndefault-binding reject;\n" },
	{ .what = "bypass adds",
	  .layers = { "bypass { connected; 10.0.0.0/8; }" },
	  .file = "bypass { 10.0.0.0/8; private; }",
	  .want = "\nbypass {\n    connected;\n    private;\n    10.0.0.0/8;\n}\n" },
	{ .what = "suspended names, once",
	  .layers = { "suspend a; suspend a;", "suspend a; suspend b; resume c;", "suspend c;" },
	  .file = "binding a { address 192.0.2.1; }\ngroup b { member a; }\n"
		"binding c { address 192.0.2.3; }",
	  .suspended = "a b ",
	  .want = "\nbinding a {\n    address 192.0.2.1;\n}\n\ngroup b {\n    member a;\n}\n"
		"\nbinding c {\n    address 192.0.2.3;\n}\n" },
	{ .what = "resume of what is not suspended",
	  .layers = { "resume a;" },
	  .file = "binding a { address 192.0.2.1; }",
	  .want = "\nbinding a {\n    address 192.0.2.1;\n}\n" },
};

static const struct layer_row removing_rows[] = {
	{ .what = "everything",
	  .layers = { "remove binding a; remove group g; remove uplink u; remove default-binding;\n"
		"remove policy { user 33 port 25; cgroup /x; }\n"
		"remove bypass { connected; 10.0.0.0/8; }" },
	  .file = "uplink u { interface eth0; }\nbinding a { address 192.0.2.1; uplink u; }\n"
		"group g { member a; }\nbypass { connected; private; 10.0.0.0/8; }\n"
		"default-binding normal;\npolicy { user www-data port 25 use g; user 33 pass; "
		"cgroup /x use a; }",
	  .want = "\nbypass {\n    private;\n}\n\npolicy {\n    user 33 pass;\n}\n" },
	{ .what = "of a layer's own that a lower one has added",
	  .layers = { "remove binding n;", "binding n { address 192.0.2.1; } suspend n;" },
	  .want = "" },
	{ .what = "and added again above",
	  .layers = { "binding n { address 192.0.2.2; }", "remove binding n;" },
	  .file = "binding n { address 192.0.2.1; }",
	  .want = "\nbinding n {\n    address 192.0.2.2;\n}\n" },
	{ .what = "nothing, in a lower layer: it is older than the files",
	  .layers = { "", "remove binding n; remove policy { user 1; } remove bypass { private; } "
		"suspend m; remove default-binding; remove uplink u;" },
	  .file = "binding a { address 192.0.2.1; }",
	  .want = "\nbinding a {\n    address 192.0.2.1;\n}\n" },
	{ .what = "nothing",
	  .layers = { "remove binding amce; remove group g;\nremove uplink u; remove default-binding;\n"
		"remove policy { user 1 port 25; }\nremove bypass { private; 10.0.0.0/8; }\nsuspend q;" },
	  .file = "binding acme { address 192.0.2.1; }\npolicy { user 1 port 26 pass; }",
	  .want = "one:1:16: unknown binding 'amce': did you mean 'acme'?\n"
		"one:1:35: unknown binding 'g': expected one that is defined\n"
		"one:2:15: unknown uplink 'u': expected one that is defined\n"
		"one:2:18: 'default-binding' is not said: expected it somewhere, to remove it\n"
		"one:3:17: no rule has this client and this destination: expected those of a rule that "
		"there is, to remove it\n"
		"one:4:17: 'private' is not in the bypass list: expected one that is, to remove it\n"
		"one:4:26: '10.0.0.0/8' is not in the bypass list: expected one that is, to remove it\n"
		"one:5:9: unknown binding 'q': expected one that is defined" },
	{ .what = "what is removed already",
	  .layers = { "remove binding n;", "remove binding n;" },
	  .file = "binding n { address 192.0.2.1; }",
	  .want = "one:1:16: unknown binding 'n': expected one that is defined" },
	{ .what = "what is in use",
	  .layers = { "remove binding a;\nremove uplink u;" },
	  .file = "binding a { address 192.0.2.1; }\nuplink u { interface eth0; }\n"
		"binding b { address 192.0.2.2; uplink u; unusable use a; overflow a; limit new 1/day; }\n"
		"group g { member b; member a; }\npolicy { user 1 use a; }",
	  .want = "main.conf:3:39: uplink 'u' is used here, but removed at one:2:15: expected something "
		"else to be used first\n"
		"main.conf:3:55: binding 'a' is used here, but removed at one:1:16: expected something "
		"else to be used first\n"
		"main.conf:3:67: binding 'a' is used here, but removed at one:1:16: expected something "
		"else to be used first\n"
		"main.conf:4:28: binding 'a' is used here, but removed at one:1:16: expected something "
		"else to be used first\n"
		"main.conf:5:21: binding 'a' is used here, but removed at one:1:16: expected something "
		"else to be used first" },
};

static const struct layer_row refused_rows[] = {
	{ .what = "what only files say",
	  .layers = { "mark-mask 0xff;\ninclude \"a.conf\";\nbidning a { }" },
	  .want = "one:1:1: 'mark-mask' cannot be changed at run time: expected it in a file\n"
		"one:2:9: 'include' in a run-time change: expected the statements of the file "
		"themselves\n"
		"one:3:1: found 'bidning', expected 'bypass', 'binding', 'policy', 'default-binding', "
		"'remove', 'suspend', 'resume', 'uplink' or 'group'; did you mean 'binding'?" },
	{ .what = "twice in one layer, in a lower one, and in the file",
	  .layers = { "binding a { address 192.0.2.1; }\npolicy { user 1 pass; user 1 reject; }",
		"uplink u { interface eth0; }\nuplink u { interface eth0; }\n"
		"binding a { address 192.0.2.2; }\nbinding a { address 192.0.2.2; }" },
	  .file = "binding a { }\nbinding a { }\npolicy {\nuser 1 pass;\nuser 1 pass; }\n"
		"uplink u { interface x; }\nuplink u { interface x; }\ndefault-binding normal;\n"
		"default-binding normal;",
	  .want = "one:2:23: this rule has the same client and the same destination as the rule at "
		"one:2:10: expected one of them only\n"
		"two:2:8: uplink 'u' is defined twice: expected a name other than that at two:1:8\n"
		"two:4:9: binding 'a' is defined twice: expected a name other than that at two:3:9\n"
		"main.conf:2:9: binding 'a' is defined twice: expected a name other than that at "
		"main.conf:1:9\n"
		"main.conf:5:1: this rule has the same client and the same destination as the rule at "
		"main.conf:4:1: expected one of them only\n"
		"main.conf:7:8: uplink 'u' is defined twice: expected a name other than that at "
		"main.conf:6:8\n"
		"main.conf:9:1: 'default-binding' is given twice: expected once, as at main.conf:8:1" },
	{ .what = "there and not there",
	  .layers = { "remove binding a;\nbinding a { address 192.0.2.1; }\nsuspend b; resume b;\n"
		"policy { user 1 pass; }\nremove policy { user 1; }" },
	  .file = "binding a { address 192.0.2.1; }\nbinding b { address 192.0.2.2; }",
	  .want = "one:2:9: the opposite is said at one:1:16: expected one of them in one change\n"
		"one:3:19: the opposite is said at one:3:9: expected one of them in one change\n"
		"one:5:17: the opposite is said at one:4:10: expected one of them in one change" },
	{ .what = "run-time words in a file, each said once",
	  .file = "remove binding a;\nremove policy { user 1; user 2; }\nremove bypass { private; }\n"
		"suspend a;\nresume a;\nremove default-binding;\nbinding remove { address 192.0.2.1; }\n"
		"binding suspend { address 192.0.2.2; }\nbinding resume { address 192.0.2.3; }",
	  .want = "main.conf:1:1: 'remove', 'suspend' and 'resume' may be said only in a run-time "
		"change: expected a file to leave out what shall not be there\n"
		"main.conf:2:1: 'remove', 'suspend' and 'resume' may be said only in a run-time "
		"change: expected a file to leave out what shall not be there\n"
		"main.conf:3:1: 'remove', 'suspend' and 'resume' may be said only in a run-time "
		"change: expected a file to leave out what shall not be there\n"
		"main.conf:4:1: 'remove', 'suspend' and 'resume' may be said only in a run-time "
		"change: expected a file to leave out what shall not be there\n"
		"main.conf:5:1: 'remove', 'suspend' and 'resume' may be said only in a run-time "
		"change: expected a file to leave out what shall not be there\n"
		"main.conf:6:1: 'remove', 'suspend' and 'resume' may be said only in a run-time "
		"change: expected a file to leave out what shall not be there" },
	{ .what = "what is hidden must be valid text",
	  .layers = { "binding a { address 192.0.2.1; }" },
	  .file = "binding a { address 192.0.2; }",
	  .want = "main.conf:1:21: '192.0.2' is not an address: expected IPv4 or IPv6, such as "
		"192.0.2.1 or 2001:db8::1" },
	{ .what = "an address that the file has in another binding",
	  .layers = { "binding n { address 192.0.2.1; }" },
	  .file = "binding a { address 192.0.2.1; }",
	  .want = "one:1:21: address 192.0.2.1 is given twice: binding 'a' has it at main.conf:1:21: expected it once, as several rules may use one binding" },
	{ .what = "default-binding over an otherwise",
	  .layers = { "default-binding suspended;" },
	  .file = "policy { otherwise pass; }",
	  .want = "main.conf:1:10: 'otherwise' says what nobody else's rule claims, and so does "
		"'default-binding' at one:1:1: expected one of them only" },
};

static void test_winning(void **unused)
{
	(void)unused;
	check_layers(winning_rows, ARRAY_LEN(winning_rows));
}

static void test_removing(void **unused)
{
	(void)unused;
	check_layers(removing_rows, ARRAY_LEN(removing_rows));
}

static void test_refused(void **unused)
{
	(void)unused;
	check_layers(refused_rows, ARRAY_LEN(refused_rows));
}

/* What no rule speaks of any more need not be watched, and the others keep theirs. */
static void test_cgroups(void **unused)
{
	static const char layer[] = "remove policy { cgroup /a; }\npolicy { cgroup /c reject; }";
	struct fake_file file = { "main.conf", "policy { cgroup /a pass; cgroup /b pass; "
				  "cgroup /c pass; cgroup /d pass; }", 0 };
	struct fake_files files = { &file, 1 };
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	char *AUTO(mem_drop) text = NULL;

	(void)unused;
	assert_int_equal(fake_read_layers(&files, &(struct conf_layer){ "one", layer, strlen(layer) }, 1,
					  &model, &diag), 0);
	assert_int_equal(model.cgroups.n, 3);
	text = fake_printed(&model);
	assert_string_equal(text, "mark-mask 0x1fff;\n\npolicy {\n    cgroup /b pass;\n"
			    "    cgroup /c reject;\n    cgroup /d pass;\n}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_winning),
		cmocka_unit_test(test_removing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cgroups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
