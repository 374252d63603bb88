/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save: what becomes of files that people write, and what is refused before a byte is written. */
#include "ctl_support.h"

#include "base/mem.h"
#include "ctl_files.h"

#define CRLF	"\r\n"

/* main is outbind.conf, extra conf.d/10.conf; NULL: not there. want NULL: as before. */
static const struct {
	const char *what, *main, *extra, *layer;
	int status;
	const char *want_main, *want_extra, *want_runtime;
	const char *err;			/* a part of it */
} rows[] = {
	{ "nothing", INCLUDE, NULL, "", 0, NULL, NULL, NULL, "" },
	{ "what is new goes to a file of its own", INCLUDE A, NULL,
	  "binding b {\n    address 192.0.2.12;\n}\npolicy { user 1 use b; }\npolicy { user 2 use a; }\nbypass { 192.0.2.0/24; }\n", 0,
	  NULL, NULL,
	  "bypass { 192.0.2.0/24; }\n\nbinding b { address 192.0.2.12; }\n\npolicy {\n    user 1 use b;\n    user 2 use a;\n}\n", "" },
	{ "what is defined is replaced in place", INCLUDE "# first }\n" A "# last {\n", NULL,
	  "binding a {\n    address 192.0.2.99;\n}\n", 0, INCLUDE "# first }\nbinding a { address 192.0.2.99; }\n# last {\n", NULL, NULL, "" },
	{ "in whatever file it is", INCLUDE A, "binding x { address 192.0.2.77; } # x\n", "binding x { address 192.0.2.78; }\n", 0,
	  NULL, "binding x { address 192.0.2.78; } # x\n", NULL, "" },
	{ "what was removed is cut out", INCLUDE A "binding b { # { b\n\tehlo \"b.example\"; # };\n}\n# end\n", NULL, "remove binding b;\n", 0,
	  INCLUDE A "# end\n", NULL, NULL, "" },
	{ "rules one by one", INCLUDE A "policy { user 1 use a; user 2 pass; # two\n  user 3 reject; }\n", NULL,
	  "remove policy { user 1; }\npolicy { user 2 reject; }\nremove policy { user 3; }\n", 0,
	  INCLUDE A "policy { user 2 reject; # two\n  }\n", NULL, NULL, "" },
	{ "entries of the bypass list", INCLUDE "bypass { connected; 192.0.2.0/24; }\n", NULL,
	  "remove bypass { connected; }\nbypass { private; }\n", 0, INCLUDE "bypass { 192.0.2.0/24; }\n", NULL, "bypass { private; }\n", "" },
	{ "default-binding", INCLUDE "default-binding normal; # as it was\n", NULL, "default-binding reject;\n", 0,
	  INCLUDE "default-binding reject; # as it was\n", NULL, NULL, "" },
	{ "statements on one line", A "binding b { } binding c { } " INCLUDE, NULL, "remove binding b;\n", 0, A "binding c { } " INCLUDE, NULL, NULL, "" },
	{ "quotes that look like braces", INCLUDE A "policy { cgroup \"/x;}y\" use a; cgroup \"/x{z\" use a; }\n", NULL,
	  "remove policy { cgroup \"/x;}y\"; }\n", 0, INCLUDE A "policy { cgroup \"/x{z\" use a; }\n", NULL, NULL, "" },
	{ "returns at line ends", "include \"conf.d/*.conf\";" CRLF "binding a { address 192.0.2.1; }" CRLF "# x" CRLF, NULL,
	  "binding a { ehlo a.example; address 192.0.2.2; }\n", 0,
	  "include \"conf.d/*.conf\";" CRLF "binding a {" CRLF "    address 192.0.2.2;" CRLF "    ehlo a.example;" CRLF "}" CRLF "# x" CRLF, NULL, NULL, "" },
	{ "a byte order mark", "\xef\xbb\xbf" A INCLUDE, NULL, "binding a { address 192.0.2.2; }\n", 0,
	  "\xef\xbb\xbf" "binding a { address 192.0.2.2; }\n" INCLUDE, NULL, NULL, "" },
	{ "a rule that is written otherwise", INCLUDE A "policy { user 1 port 465,25 to 2001:db8::/32,192.0.2.0/24 use a; }\n", NULL,
	  "policy { user 1 to 192.0.2.0/24,2001:db8::/32 port 25,465 pass; }\n", 0,
	  INCLUDE A "policy { user 1 to 192.0.2.0/24,2001:db8::/32 port 25,465 pass; }\n", NULL, NULL, "" },
	{ "a user by another name", INCLUDE A "policy { user 0 use a; }\n", NULL, "policy { user root pass; }\n", 0,
	  INCLUDE A "policy { user root pass; }\n", NULL, NULL, "" },
	{ "blocks within a binding", INCLUDE "binding a { address 192.0.2.1; warmup { day 1 2; # }\n day 2 9; } ehlo a.example; } # a\n", NULL,
	  "binding a { address 192.0.2.1; warmup { day 1 5; } }\n", 0,
	  INCLUDE "binding a {\n    address 192.0.2.1;\n    warmup { day 1 5; }\n} # a\n", NULL, NULL, "" },
	{ "uplinks and groups", INCLUDE A "uplink u { interface eth1; } uplink v { interface eth2; }\ngroup g { member a; }\n", NULL,
	  "remove uplink u;\nremove group g;\nuplink w { interface eth3; }\ngroup h { member a weight 2; }\n", 0,
	  INCLUDE A "uplink v { interface eth2; }\n", NULL, "group h { member a weight 2; }\n\nuplink w { interface eth3; }\n", "" },
	{ "small ones together, tall ones apart, comments as they are", INCLUDE A, NULL,
	  "binding b { limit   new 5/minute ;ehlo b.example; address 192.0.2.3,192.0.2.4 ; }\nbinding c { address 192.0.2.5; }\n"
	  "binding d {\n address 192.0.2.6; }\nbinding e {   address 192.0.2.7; # mine\n}\nbinding f { }\n", 0, NULL, NULL,
	  "binding b {\n    address 192.0.2.3,192.0.2.4;\n    ehlo b.example;\n    limit new 5/minute;\n}\n\nbinding c { address 192.0.2.5; }\n"
	  "binding d { address 192.0.2.6; }\n\nbinding e {   address 192.0.2.7; # mine\n}\n\nbinding f { }\n", "" },
	{ "all of a block", INCLUDE A "policy {\n\tuser 1 use a;\n}\n# end\n", NULL, "remove policy { user 1; }\n", 0, INCLUDE A "policy {\n}\n# end\n", NULL, NULL, "" },
	{ "moved from one file to the other by nobody", INCLUDE A, "policy { user 1 use a; user 2 use a; }\n",
	  "binding a { address 192.0.2.5; }\npolicy { user 2 pass; }\nremove policy { user 1; }\n", 0,
	  INCLUDE "binding a { address 192.0.2.5; }\n", "policy { user 2 pass; }\n", NULL, "" },
	{ "suspensions stay", INCLUDE A, NULL, "suspend a;\nbinding a { address 192.0.2.2; }\n", 0,
	  INCLUDE "binding a { address 192.0.2.2; }\n", NULL, NULL, "" },
	{ "a group in the place of a binding", INCLUDE A "binding g { address 192.0.2.9; }\n", NULL, "group g { member a; }\n", 0,
	  INCLUDE A "group g { member a; }\n", NULL, NULL, "" },

	{ "a relay is left alone", INCLUDE A "relay { # {\n\tlisten 127.0.0.1:25 { name x; } # }\n\tsender a.example on x use a; }\nbinding b { } # b\n", NULL,
	  "binding b { address 192.0.2.7; }\nbinding c { address 192.0.2.8; }\n", 0,
	  INCLUDE A "relay { # {\n\tlisten 127.0.0.1:25 { name x; } # }\n\tsender a.example on x use a; }\nbinding b { address 192.0.2.7; } # b\n",
	  NULL, "binding c { address 192.0.2.8; }\n", "" },

	{ "a main file that includes nothing", A, NULL, "binding b { }\n", 5, NULL, NULL, NULL, "    include \"conf.d/*.conf\";\nnothing was changed\n" },
	{ "but what it says itself can be saved", A, NULL, "binding a { address 192.0.2.2; }\n", 0, "binding a { address 192.0.2.2; }\n", NULL, NULL, "" },
	{ "files that are not valid", INCLUDE A "frob;\n", NULL, "binding b { }\n", 1, NULL, NULL, NULL, "the files are not valid; nothing was changed\n" },
	{ "a layer that is not valid", INCLUDE A, NULL, "binding b {\n", 5, NULL, NULL, NULL, "run-time changes:" },
};

static int check_row(size_t i)
{
	AUTO(files_drop) struct files files = files_make(rows[i].main, rows[i].extra);
	char *AUTO(mem_drop) replies = files_replies(&files, rows[i].layer, "[]");
	AUTO(run_drop) struct run run = { 0 };
	struct fake fake;
	int wrong = 0;

	fake_start(&fake, replies);
	run = run_ctl(fake.dir, "save");
	fake_stop(&fake);
	if (run.status != rows[i].status || !strstr(run.err, rows[i].err) ||
	    (!*rows[i].err && *run.err)) {
		print_error("%s: status %d, want %d\n%s%s", rows[i].what, run.status, rows[i].status, run.out, run.err);
		wrong++;
	}
	wrong += files_differ(rows[i].what, &files, "outbind.conf", rows[i].want_main ? rows[i].want_main : rows[i].main);
	wrong += files_differ(rows[i].what, &files, "conf.d/10.conf", rows[i].want_extra ? rows[i].want_extra : rows[i].extra);
	wrong += files_differ(rows[i].what, &files, "conf.d/runtime.conf", rows[i].want_runtime);
	wrong += files_differ(rows[i].what, &files, "outbind.conf~", rows[i].want_main ? rows[i].main : NULL);
	wrong += files_differ(rows[i].what, &files, "conf.d/10.conf~", rows[i].want_extra ? rows[i].extra : NULL);
	if (run.status == 0 && (rows[i].want_main || rows[i].want_extra || rows[i].want_runtime))
		wrong += differs(rows[i].what, "last call", fake.call, "{\"method\":\"org.outbind.Reload\",\"parameters\":{}}");
	return wrong;
}

static void test_rows(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		wrong += check_row(i);
	assert_int_equal(wrong, 0);
}

/* What is there already is appended to; mode and owner stay; a link is followed, not replaced. */
static void test_mode(void **state)
{
	AUTO(files_drop) struct files files = files_make(INCLUDE A, NULL);
	char *AUTO(mem_drop) replies = files_replies(&files, "binding b { }\nremove binding a;\n", "[]");
	AUTO(run_drop) struct run run = { 0 };
	struct stat status;
	struct fake fake;

	(void)state;
	files_write(&files, "real.conf", "# mine");
	assert_int_equal(chmod(files_path(&files, "real.conf"), 0640), 0);
	assert_int_equal(symlink("../real.conf", files_path(&files, "conf.d/runtime.conf")), 0);
	fake_start(&fake, replies);
	run = run_ctl(fake.dir, "save");
	fake_stop(&fake);
	assert_string_equal(run.err, "");
	assert_int_equal(run.status, 0);
	assert_int_equal(files_differ("appended", &files, "real.conf", "# mine\nbinding b { }\n"), 0);
	assert_int_equal(files_differ("kept", &files, "real.conf~", "# mine"), 0);
	assert_int_equal(stat(files_path(&files, "real.conf"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_int_equal(lstat(files_path(&files, "conf.d/runtime.conf"), &status), 0);
	assert_true(S_ISLNK(status.st_mode));
}

static void test_dry_run(void **state)
{
	AUTO(files_drop) struct files files = files_make(INCLUDE A, NULL);
	char *AUTO(mem_drop) replies = files_replies(&files, "suspend a;\nbinding a { address 192.0.2.2; }\n", "[]");
	AUTO(run_drop) struct run run = { 0 };
	char *AUTO(mem_drop) want = NULL;
	struct fake fake;

	(void)state;
	fake_start(&fake, replies);
	run = run_ctl(fake.dir, "save --dry-run");
	fake_stop(&fake);
	if (asprintf(&want, "--- %1$s/outbind.conf\n+++ %1$s/outbind.conf\n@@ -1,2 +1,2 @@\n include \"conf.d/*.conf\";\n"
		     "-binding a { address 192.0.2.1; }\n+binding a { address 192.0.2.2; }\n"
		     "1 suspension stays with the agent: files do not hold them\n", files.dir) < 0)
		abort();
	assert_string_equal(run.out, want);
	assert_string_equal(run.err, "");
	assert_int_equal(files_differ("untouched", &files, "outbind.conf", INCLUDE A), 0);
	assert_int_equal(files_differ("no copy", &files, "outbind.conf~", NULL), 0);
}

/* Edits that do not run yet would be brought in by the reload. */
static void test_edits(void **state)
{
	AUTO(files_drop) struct files files = files_make(INCLUDE A, NULL);
	char *AUTO(mem_drop) replies = files_replies(&files, "binding b { }\n",
		"[{\"what\":\"removed\",\"kind\":\"binding\",\"name\":\"b\",\"runtime\":true},{\"what\":\"added\",\"kind\":\"binding\",\"name\":\"c\"}]");
	AUTO(run_drop) struct run run = { 0 };
	struct fake fake;

	(void)state;
	fake_start(&fake, replies);
	run = run_ctl(fake.dir, "save");
	fake_stop(&fake);
	assert_int_equal(run.status, 5);
	assert_non_null(strstr(run.err, "such as binding c: see"));
	assert_int_equal(files_differ("untouched", &files, "conf.d/runtime.conf", NULL), 0);
}

/* Two files, the second cannot be written: the first is what it was. */
static void test_take_back(void **state)
{
	AUTO(files_drop) struct files files = files_make(INCLUDE A, "binding x { }\n");
	char *AUTO(mem_drop) replies = files_replies(&files, "binding a { address 192.0.2.2; }\nremove binding x;\n", "[]");
	AUTO(run_drop) struct run run = { 0 };
	struct fake fake;

	(void)state;
	assert_int_equal(mkdir(files_path(&files, "conf.d/10.conf~"), 0755), 0);
	fake_start(&fake, replies);
	run = run_ctl(fake.dir, "save");
	fake_stop(&fake);
	assert_int_equal(run.status, 5);
	assert_non_null(strstr(run.err, "cannot be written: Is a directory; nothing was changed\n"));
	assert_int_equal(files_differ("first", &files, "outbind.conf", INCLUDE A), 0);
	assert_int_equal(files_differ("second", &files, "conf.d/10.conf", "binding x { }\n"), 0);
}

static void test_diff(void **state)
{
	struct fake fake;
	AUTO(run_drop) struct run run = { 0 };

	(void)state;
	fake_start(&fake, "{\"parameters\":{\"changes\":[{\"what\":\"removed\",\"kind\":\"rule\",\"name\":\"user 1 port 25\",\"runtime\":true},"
			  "{\"what\":\"changed\",\"kind\":\"binding\",\"name\":\"a\",\"runtime\":true},{\"what\":\"added\",\"kind\":\"binding\",\"name\":\"c\"}]}}\n");
	run = run_ctl(fake.dir, "diff");
	fake_stop(&fake);
	assert_int_equal(run.status, 1);
	assert_string_equal(run.out, "- rule user 1 port 25  (changed at run time)\n~ binding a  (changed at run time)\n+ binding c\n"
				     "2 of 3 changed at run time: `outbindctl save` folds that into the files\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_dry_run),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_take_back),
		cmocka_unit_test(test_diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
