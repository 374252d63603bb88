/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Groups, limits, overflow, warm-up, and what leads from one to the next: what cannot be meant.
 */
#include "conf_rows.h"

#define A	"binding a { address 192.0.2.1; }\n"
#define B	"binding b { address 192.0.2.2; }\n"

static const struct row group_rows[] = {
	{ .what = "everything that fits", .text = A B
	  "group g { member a weight 1000; member b; pick round-robin; limit connections 5;\n"
	  "limit new 1/day per destination; overflow a; allow user 5, 6; allow group 7; }\n"
	  "policy { otherwise use g; }", .want = "" },
	{ .what = "what does not fit", .text = A
	  "group g {\naddress 192.0.2.9;\nehlo x.example;\ninterface eth0;\nmember a;\n}",
	  .want = "3:1: found 'address', expected 'member', 'pick', 'limit', 'overflow', 'allow' or '}'\n"
		"4:1: found 'ehlo', expected 'member', 'pick', 'limit', 'overflow', 'allow' or '}'\n"
		"5:1: found 'interface', expected 'member', 'pick', 'limit', 'overflow', 'allow' or '}'" },
	{ .what = "nor do these", .text = A
	  "group g {\nunusable reject;\nuplink u;\nwarmup { day 1 5; }\nprobe icmp 192.0.2.9 every 1s;\n"
	  "member a; }",
	  .want = "3:1: found 'unusable', expected 'member', 'pick', 'limit', 'overflow', 'allow' or '}'\n"
		"4:1: found 'uplink', expected 'member', 'pick', 'limit', 'overflow', 'allow' or '}'\n"
		"5:1: found 'warmup', expected 'member', 'pick', 'limit', 'overflow', 'allow' or '}'\n"
		"6:1: found 'probe', expected 'member', 'pick', 'limit', 'overflow', 'allow' or '}'" },
	{ .what = "no member", .text = "group g { pick random; }",
	  .want = "1:7: group 'g' has no member: expected 'member NAME;'" },
	{ .what = "members", .text = A
	  "group g { member a; member amce; member h;\n  member a weight 2; }\n"
	  "group h { member h2; } binding h2 { address 192.0.2.3; }",
	  .want = "2:28: unknown binding 'amce': expected one that is defined\n"
		"2:41: 'h' is a group: expected a binding, since a group cannot be a member of a group\n"
		"3:10: 'a' is a member already at main.conf:2:18: expected it once, with a 'weight' if "
		"it shall get more" },
	{ .what = "a member that is nearly there",
	  .text = "binding acme { address 192.0.2.1; }\ngroup g { member amce; }",
	  .want = "2:18: unknown binding 'amce': did you mean 'acme'?" },
	{ .what = "weights and picks", .text = A B
	  "group g { member a weight 0; member b weight 1001; pick sticky; pick random; pick random; }",
	  .want = "3:27: weight '0' is not a number from 1 to 1000\n"
		"3:46: weight '1001' is not a number from 1 to 1000\n"
		"3:57: found 'sticky', expected 'sticky-destination', 'sticky-client', 'round-robin' or "
		"'random'\n"
		"3:78: 'pick' is given twice: expected once, as at main.conf:3:65" },
	{ .what = "names", .text = A "group a { member a; }\ngroup default { member a; }\n"
	  "group x:y { member a; }\ngroup \"\" { member a; }\nbinding g { } group g { member a; }",
	  .want = "2:7: group 'a' has the name of the binding at main.conf:1:9: expected another name, "
		"since rules use both by name\n"
		"3:7: group 'default' has the name of what leaves from the host's own addresses: "
		"expected another name\n"
		"4:7: group name 'x:y' has a colon: expected a name without spaces, colons and control "
		"characters\n"
		"5:7: the name of a group is empty: expected 1 to 63 bytes\n"
		"6:21: group 'g' has the name of the binding at main.conf:6:9: expected another name, "
		"since rules use both by name" },
	{ .what = "a group cannot stand in", .text = A "group g { member a; }\n"
	  "binding b { address 192.0.2.2; unusable use g; }",
	  .want = "3:45: 'g' is a group: expected a binding to stand in for this one" },
	{ .what = "a rule of a group and a forgotten semicolon", .text = A
	  "policy {\n  user 1 pass\n  group x pass;\n  user 2 pass;\n}",
	  .want = "4:3: found 'group', expected ';'\n"
		"4:9: unknown group 'x': expected one that exists here, or a number" },
	{ .what = "a forgotten brace before a group", .text =
	  "binding a { address 192.0.2.1;\ngroup g { member a; }",
	  .want = "2:1: found 'group', expected 'address', 'ehlo', 'interface', 'uplink', 'unusable', "
		"'limit', 'overflow', 'warmup', 'probe', 'allow', 'sender-domain', 'require' or '}' to close the '{' at main.conf:1:11" },
};

static const struct row limit_rows[] = {
	{ .what = "all four, and the ends of the ranges", .text =
	  "binding a { address 192.0.2.1; limit connections 1; limit connections 1000000 per destination;\n"
	  "limit new 1/second burst 1000000; limit new 1000000/day per destination; }", .want = "" },
	{ .what = "numbers", .text =
	  "binding a { address 192.0.2.1; limit connections 0; }\n"
	  "binding b { address 192.0.2.2; limit connections 1000001; }\n"
	  "binding c { address 192.0.2.3; limit connections ten; limit new 5/second burst 0; }",
	  .want = "1:50: limit '0' is not a number from 1 to 1000000\n"
		"2:50: limit '1000001' is not a number from 1 to 1000000\n"
		"3:50: limit 'ten' is not a number from 1 to 1000000\n"
		"3:80: burst '0' is not a number from 1 to 1000000" },
	{ .what = "bursts that come back in 30 days, and in more", .text =
	  "binding a { address 192.0.2.1; limit new 1/day burst 30; limit new 5/hour burst 3600 per "
	  "destination; }\n"
	  "binding b { address 192.0.2.2; limit new 1/day burst 31; }\n"
	  "binding c { address 192.0.2.3; limit new 5/hour burst 3601 per destination; }",
	  .want = "2:54: burst '31' takes more than 30 days to come back at 1/day: expected at most 30\n"
		"3:55: burst '3601' takes more than 30 days to come back at 5/hour: expected at most 3600" },
	{ .what = "rates", .text =
	  "binding a { address 192.0.2.1; limit new 10; limit new 10/week; limit new /second;\n"
	  "limit new 0/second; limit new 1000001/second; limit new 10/; }",
	  .want = "1:42: '10' is not a rate: expected one such as 10/second, with a number from 1 to "
		"1000000, per second, minute, hour or day\n"
		"1:46: 'limit new' is given twice: expected once, as at main.conf:1:32\n"
		"1:56: '10/week' is not a rate: expected one such as 10/second, with a number from 1 to "
		"1000000, per second, minute, hour or day\n"
		"1:65: 'limit new' is given twice: expected once, as at main.conf:1:32\n"
		"1:75: '/second' is not a rate: expected one such as 10/second, with a number from 1 to "
		"1000000, per second, minute, hour or day\n"
		"2:1: 'limit new' is given twice: expected once, as at main.conf:1:32\n"
		"2:11: '0/second' is not a rate: expected one such as 10/second, with a number from 1 to "
		"1000000, per second, minute, hour or day\n"
		"2:21: 'limit new' is given twice: expected once, as at main.conf:1:32\n"
		"2:31: '1000001/second' is not a rate: expected one such as 10/second, with a number "
		"from 1 to 1000000, per second, minute, hour or day\n"
		"2:47: 'limit new' is given twice: expected once, as at main.conf:1:32\n"
		"2:57: '10/' is not a rate: expected one such as 10/second, with a number from 1 to "
		"1000000, per second, minute, hour or day" },
	{ .what = "each once", .text = "binding a { address 192.0.2.1;\nlimit connections 1;\n"
	  "limit connections 1 per destination;\nlimit connections 2;\n"
	  "limit connections 2 per destination;\noverflow b; overflow b; }\n" B,
	  .want = "4:1: 'limit connections' is given twice: expected once, as at main.conf:2:1\n"
		"5:1: 'limit connections per destination' is given twice: expected once, as at "
		"main.conf:3:1\n"
		"6:13: 'overflow' is given twice: expected once, as at main.conf:6:1" },
	{ .what = "what is no limit", .text = "binding a { address 192.0.2.1; limit old 5; limit new "
	  "5/day per host; limit connections 5 burst 6; }",
	  .want = "1:38: found 'old', expected 'connections' or 'new'\n"
		"1:65: found 'host', expected 'destination'\n"
		"1:91: found 'burst', expected 'per' or ';'" },
	{ .what = "an overflow of nothing", .text = A "binding b { address 192.0.2.2; overflow a; }",
	  .want = "2:32: warning: 'b' has no limit that it could exceed: 'overflow' does nothing" },
	{ .what = "overflow to nobody", .text = "binding a { address 192.0.2.1; overflow nobody; }\n"
	  "binding b { address 192.0.2.2; warmup { day 1 5; overflow default; } }",
	  .want = "1:41: unknown binding 'nobody': expected one that is defined\n"
		"2:59: binding 'default' is not configured: expected 'binding default { address ...; }'" },
};

static const struct row warmup_rows[] = {
	{ .what = "days", .text = "binding a { address 192.0.2.1; warmup { day 1 5; day 3 6; day 4 7; "
	  "day 4 8; day 0 1; day 367 1; day 5 0; } }",
	  .want = "1:54: found day 3, expected day 2: the days of a warm-up go up from 1 without a gap\n"
		"1:72: found day 4, expected day 5: the days of a warm-up go up from 1 without a gap\n"
		"1:81: day '0' is not a number from 1 to 366\n"
		"1:90: day '367' is not a number from 1 to 366\n"
		"1:103: number of connections '0' is not a number from 1 to 1000000000" },
	{ .what = "none", .text = "binding a { address 192.0.2.1; warmup { overflow a2; } }\n"
	  "binding a2 { address 192.0.2.2; }",
	  .want = "1:32: warm-up without a day: expected 'day 1 NUMBER;'" },
	{ .what = "twice", .text = "binding a { address 192.0.2.1; warmup { day 1 5; overflow b; overflow b; }\n"
	  "warmup { day 1 5; } }\n" B,
	  .want = "1:62: 'overflow' is given twice: expected once, as at main.conf:1:50\n"
		"2:1: 'warmup' is given twice: expected once, as at main.conf:1:32" },
	{ .what = "never closed, nor what is around it", .text =
	  "binding a { address 192.0.2.1; warmup {\n  day 1 5;\nbinding b { address 192.0.2.2; }\n"
	  "policy { user 1 use b; user 2 use a; }",
	  .want = "3:1: found 'binding', expected 'overflow', 'day' or '}' to close the '{' at "
		"main.conf:1:39\n"
		"3:1: found 'binding', expected 'address', 'ehlo', 'interface', 'uplink', 'unusable', "
		"'limit', 'overflow', 'warmup', 'probe', 'allow', 'sender-domain', 'require' or '}' to close the '{' at main.conf:1:11" },
	{ .what = "never closed", .text = "binding a { address 192.0.2.1; warmup {\n  day 1 5; }\n",
	  .want = "1:11: '{' is never closed: expected '}' before the end of the file" },
	{ .what = "a setting inside", .text = "binding a { warmup { day 1 5; ehlo x; } address 127.0.0.1; }",
	  .want = "1:31: found 'ehlo', expected 'overflow', 'day' or '}'\n"
		"1:49: '127.0.0.1' is a loopback address: expected a unicast address of this host" },
};

#define L	"limit connections 1; "

static const struct row chain_rows[] = {
	{ .what = "three steps", .text = "binding a { address 192.0.2.1; " L "overflow b; }\n"
	  "binding b { address 192.0.2.2; " L "overflow c; }\n"
	  "binding c { address 192.0.2.3; " L "overflow d; }\nbinding d { address 192.0.2.4; }",
	  .want = "" },
	{ .what = "four and five", .text = "binding z { address 192.0.2.9; " L "overflow a; }\n"
	  "binding a { address 192.0.2.1; " L "overflow b; }\n"
	  "binding b { address 192.0.2.2; " L "overflow c; }\n"
	  "binding c { address 192.0.2.3; " L "overflow d; }\n"
	  "binding d { address 192.0.2.4; warmup { day 1 5; overflow e; } }\n"
	  "binding e { address 192.0.2.5; }",
	  .want = "2:53: what exceeds the limits of 'a' could overflow more than 3 times: expected a "
		"shorter chain of 'overflow'" },
	{ .what = "four with a group between", .text = "binding a { address 192.0.2.1; " L "overflow g; }\n"
	  "group g { member b; member c; } binding c { address 192.0.2.3; }\n"
	  "binding b { address 192.0.2.2; " L "overflow d; }\n"
	  "binding d { address 192.0.2.4; " L "overflow e; }\n"
	  "binding e { address 192.0.2.5; " L "overflow c; }",
	  .want = "1:53: what exceeds the limits of 'a' could overflow more than 3 times: expected a "
		"shorter chain of 'overflow'" },
	{ .what = "itself", .text = "binding a { address 192.0.2.1; " L "overflow a; }",
	  .want = "1:53: loop of 'overflow': 'a' -> 'a': expected what exceeds a limit to end somewhere" },
	{ .what = "a loop through a group's member", .text =
	  "binding a { address 192.0.2.1; " L "overflow g; }\n" B "group g { member b; member a; }",
	  .want = "1:53: loop of 'overflow': 'a' -> 'g' -> 'a': expected what exceeds a limit to end "
		"somewhere; a group leads to its members" },
	{ .what = "a loop through a warm-up", .text =
	  "binding b { address 192.0.2.2; " L "overflow a; }\n"
	  "binding a { address 192.0.2.1; warmup { day 1 5;\noverflow b; } }",
	  .want = "1:53: loop of 'overflow': 'b' -> 'a' -> 'b': expected what exceeds a limit to end "
		"somewhere" },
	{ .what = "members of one group that overflow to each other's stand-in are no loop", .text =
	  "binding a { address 192.0.2.1; " L "overflow c; }\nbinding b { address 192.0.2.2; " L
	  "overflow c; }\nbinding c { address 192.0.2.3; }\ngroup g { member a; member b; }",
	  .want = "" },
};

static void test_groups(void **unused)
{
	(void)unused;
	check_rows(group_rows, ARRAY_LEN(group_rows));
}

static void test_limits(void **unused)
{
	(void)unused;
	check_rows(limit_rows, ARRAY_LEN(limit_rows));
}

static void test_warmup(void **unused)
{
	(void)unused;
	check_rows(warmup_rows, ARRAY_LEN(warmup_rows));
}

static void test_chains(void **unused)
{
	(void)unused;
	check_rows(chain_rows, ARRAY_LEN(chain_rows));
}

/* A chain, a loop and a fan as long as a configuration: no deep stack, no quadratic time. */
static void test_long_chains(void **unused)
{
	enum { N = 200 * 1000 };
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	char *AUTO(mem_drop) text = NULL;
	char *AUTO(mem_drop) found = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)unused;
	assert_non_null(out);
	fputs("mark-mask 0xffffff;\n", out);
	for (int i = 0; i < N; i++)
		fprintf(out, "binding b%d { address 2001:db8::%x:%x; limit new 1/day; overflow b%d; "
			"unusable use b%d; }\n", i, i >> 16, i & 0xffff, (i + 1) % N, (i + 1) % N);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(fake_read_text(text, len, &model, &diag), -EINVAL);
	found = fake_found(&model, &diag, false);
	assert_int_equal(strncmp(found, "2:54: loop of 'overflow': 'b0' -> 'b1' -> ", 42), 0);
	assert_non_null(strstr(found, "\n2:67: loop of 'unusable use': 'b0' -> 'b1' -> "));
	assert_non_null(strstr(found, " -> 'b7' -> ... -> 'b0'"));
	assert_int_equal(diag.n, 2 + 1);	/* and where the chain is four long */
}

/* Each different value is a rule of its own; the same value of others is not one more. */
static void test_different_limits(void **unused)
{
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	char *AUTO(mem_drop) text = NULL;
	char *AUTO(mem_drop) found = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)unused;
	assert_non_null(out);
	for (int i = 0; i <= LIMITS_TO_MAX; i++)
		fprintf(out, "binding a%d { address 192.0.2.%d; limit new %d/day per destination; }\n"
			"binding b%d { address 198.51.100.%d; limit connections %d per destination; }\n",
			i, i, i % LIMITS_TO_MAX + 1, i, i, i + 1);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(fake_read_text(text, len, &model, &diag), -EINVAL);
	found = fake_found(&model, &diag, false);
	assert_string_equal(found, "66:38: one more value of 'limit connections per destination' than the "
			    "32 different ones that there may be: expected one that another binding or "
			    "group has");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_warmup),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_long_chains),
		cmocka_unit_test(test_different_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
