/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of a command line become statements; a place in them becomes a line and a caret. */
#include "../../ctl/compose.h"
#include "../../ctl/excerpt.h"
#include "ctl_support.h"

#include "model/change.h"

#include <locale.h>

#define B	grammar_binding
#define S	grammar_binding_set
#define G	grammar_group
#define P	grammar_policy
#define R	grammar_policy_remove

/* Words are separated by `|`. */
static const struct {
	const char *what;
	const struct grammar *grammar;
	const char *words, *want;
} rows[] = {
	{ "one setting", B, "address|192.0.2.11", "address 192.0.2.11;" },
	{ "several settings", B, "address|192.0.2.11|ehlo|mx.acme.example|interface|eth0",
	  "address 192.0.2.11; ehlo mx.acme.example; interface eth0;" },
	{ "a list in one word", B, "address|192.0.2.11,2001:db8::11", "address 192.0.2.11, 2001:db8::11;" },
	{ "a list in several words", B, "address|192.0.2.11,|2001:db8::11|,192.0.2.12|ehlo|x",
	  "address 192.0.2.11, 2001:db8::11, 192.0.2.12; ehlo x;" },
	{ "lonely commas", B, "address|192.0.2.11|,|192.0.2.12", "address 192.0.2.11, 192.0.2.12;" },
	{ "the same setting twice", B, "address|192.0.2.11|address|2001:db8:7::/64|routed",
	  "address 192.0.2.11; address 2001:db8:7::/64 routed;" },
	{ "a routed prefix within a list", B, "address|2001:db8:7::/64|routed,|192.0.2.1|ehlo|x",
	  "address 2001:db8:7::/64 routed, 192.0.2.1; ehlo x;" },
	{ "and with the comma elsewhere", B, "address|192.0.2.0/24|routed|,192.0.2.1|ehlo|x", "address 192.0.2.0/24 routed, 192.0.2.1; ehlo x;" },
	{ "a value that is a keyword", B, "unusable|use|address|ehlo|interface|overflow|limit",
	  "unusable use address; ehlo interface; overflow limit;" },
	{ "a word after a keyword of two", B, "unusable|reject|ehlo|x", "unusable reject; ehlo x;" },
	{ "limits", B, "limit|new|10/second|burst|20|limit|connections|5|per|destination",
	  "limit new 10/second burst 20; limit connections 5 per destination;" },
	{ "who may", B, "allow|user|a,1-9|allow|cgroup|/x y", "allow user a, 1-9; allow cgroup \"/x y\";" },
	{ "a probe", B, "probe|tcp|[2001:db8::1]:25|every|10s|down|3|up|2|ehlo|x",
	  "probe tcp [2001:db8::1]:25 every 10s down 3 up 2; ehlo x;" },
	{ "a warm-up is a block", B, "warmup|day|1|200|day|2|500|ehlo|x", "warmup { day 1 200; day 2 500; } ehlo x;" },
	{ "its overflow ends it", B, "warmup|day|1|200|overflow|beta|overflow|gamma",
	  "warmup { day 1 200; overflow beta; } overflow gamma;" },
	{ "and so does the end", B, "ehlo|x|warmup|day|1|200", "ehlo x; warmup { day 1 200; }" },
	{ "even an empty one", B, "warmup", "warmup { }" },
	{ "semicolons of one's own", B, "address|192.0.2.11|;|ehlo|x|;", "address 192.0.2.11; ehlo x;" },
	{ "semicolons in a warm-up", B, "warmup|day|1|200|;|day|2|300|;", "warmup { day 1 200; day 2 300; }" },
	{ "quotes where they are needed", B, "ehlo|a;b|interface||uplink|a\"b\\c|overflow|#x",
	  "ehlo \"a;b\"; interface \"\"; uplink \"a\\\"b\\\\c\"; overflow \"#x\";" },
	{ "a comma outside lists is quoted", B, "ehlo|a,b", "ehlo \"a,b\";" },
	{ "braces are no syntax", B, "ehlo|}|interface|{", "ehlo \"}\"; interface \"{\";" },
	{ "a backslash alone is bare", B, "ehlo|a\\b", "ehlo a\\b;" },
	{ "a misspelt keyword first", B, "adress|192.0.2.11|ehlo|x", "adress 192.0.2.11; ehlo x;" },
	{ "a misspelt keyword later", B, "ehlo|x|adress|192.0.2.11", "ehlo x adress 192.0.2.11;" },
	{ "a value that is missing", B, "ehlo|x|interface", "ehlo x; interface;" },
	{ "taking settings away", S, "remove|ehlo|remove|limit|connections|per|destination|address|192.0.2.1",
	  "remove ehlo; remove limit connections per destination; address 192.0.2.1;" },
	{ "what is taken away has no value", S, "remove|allow|user|address|192.0.2.1", "remove allow user; address 192.0.2.1;" },
	{ "a warm-up is taken away by its name", S, "remove|warmup|ehlo|x", "remove warmup; ehlo x;" },
	{ "a group", G, "member|acme|weight|3|member|beta|pick|random|allow|group|mail",
	  "member acme weight 3; member beta; pick random; allow group mail;" },
	{ "one rule", P, "unit|newsletter@acme.service|port|25,465|use|acme", "unit newsletter@acme.service port 25, 465 use acme;" },
	{ "rules end with their action", P, "user|4001|use|user|group|7|reject|otherwise|pass",
	  "user 4001 use user; group 7 reject; otherwise pass;" },
	{ "two rules, one without an action", P, "user|4001|user|4002|pass", "user 4001; user 4002 pass;" },
	{ "a rule that nobody knows", P, "usr|33|use|acme|user|1|pass", "usr 33 use acme; user 1 pass;" },
	{ "words after the end", P, "otherwise|pass|now", "otherwise pass; now;" },
	{ "rules by client and destination", R, "unit|a.service|port|25|otherwise|user|7|to|192.0.2.0/24,2001:db8::/32",
	  "unit a.service port 25; otherwise; user 7 to 192.0.2.0/24, 2001:db8::/32;" },
};

static size_t split(char *text, char **words, size_t room)
{
	size_t n = 0;
	char *word;

	while (n < room && (word = strsep(&text, "|")))
		words[n++] = word;
	return n;
}

static void test_statements(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compose_drop) struct statements got = { 0 };
		char *AUTO(mem_drop) copy = strdup(rows[i].words), *words[32],
				     *AUTO(mem_drop) text = NULL;
		struct ctl ctl = { .err = stderr };

		assert_int_equal(compose_statements(&ctl, rows[i].grammar, words,
						    split(copy, words, 32), &got),
				 0);
		text = compose_text(&got);
		for (char *at = text; *at; at++)
			if (*at == '\n')
				*at = at[1] ? ' ' : '\0';
		wrong += differs(rows[i].what, rows[i].words, text, rows[i].want);
	}
	assert_int_equal(wrong, 0);
}

/* Whatever can be said in the language can be said on a command line: the reader takes it. */
static void test_understood(void **state)
{
	static const struct {
		const struct grammar *grammar;
		const char *head, *name, *words;
	} said[] = {
		{ B, "binding", "x", "address|192.0.2.1,2001:db8::1|address|2001:db8:7::/64|routed|ehlo|mx.example|uplink|isp2" },
		{ B, "binding", "a;b", "interface|eth0|uplink|isp2|unusable|use|use|limit|connections|20|limit|connections|5|per|destination" },
		{ B, "binding", "limit", "limit|new|10/second|burst|20|limit|new|100/minute|per|destination|overflow|overflow" },
		{ B, "binding", "x", "warmup|day|1|200|day|2|500|overflow|y|probe|tcp|198.51.100.25:25|every|10s|down|3|up|2|allow|user|0" },
		{ B, "binding", "x", "probe|icmp|2001:db8::1|every|500ms|unusable|reject|allow|cgroup|/a b,/c|allow|group|0-9,root" },
		{ G, "group", "x", "member|acme|weight|3|member|weight|pick|sticky-client|limit|connections|2|overflow|y|allow|user|root" },
		{ P, "policy", NULL, "unit|a@b.service|to|192.0.2.0/24,2001:db8::/32|port|25,465|protocol|tcp|use|x|cgroup|/a b|pass" },
		{ P, "policy", NULL, "user|10-20|reject|group|root|port|25|use|port|source|10.0.0.0/8|use|a;b|otherwise|port|25|reject" },
		{ R, "remove policy", NULL, "unit|a.service|port|25|user|7|otherwise" },
	};
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		AUTO(compose_drop) struct statements got = { 0 };
		AUTO(items_drop) struct items items = { 0 };
		AUTO(diag_drop) struct diag diag = { 0 };
		char *AUTO(mem_drop) copy = strdup(said[i].words), *words[32],
				     *AUTO(mem_drop) text = NULL;
		struct ctl ctl = { .err = stderr };

		assert_int_equal(compose_statements(&ctl, said[i].grammar, words,
						    split(copy, words, 32), &got),
				 0);
		text = compose_block(said[i].head, said[i].name, &got);
		if (conf_items("x", text, strlen(text), &conf_system, &items, &diag) == 0)
			continue;
		print_error("%s\n%s at %u:%u\n", text, diag.at[0].text, diag.at[0].where.line, diag.at[0].where.column);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void test_blocks(void **state)
{
	AUTO(compose_drop) struct statements one = { 0 }, two = { 0 }, many = { 0 };
	char a[] = "connected", b[] = "192.0.2.0/24,2001:db8::/32", c[] = ",";
	char *words[] = { a, b, c };
	struct ctl ctl = { .err = stderr };
	char *AUTO(mem_drop) text = NULL, *AUTO(mem_drop) block = NULL,
			     *AUTO(mem_drop) named = NULL;

	(void)state;
	assert_int_equal(compose_elements(&ctl, words, 1, &one), 0);
	assert_int_equal(compose_elements(&ctl, words, 3, &many), 0);
	text = compose_block("remove bypass", NULL, &one);
	block = compose_block("bypass", NULL, &many);
	named = compose_block("binding", "a b", &two);
	assert_string_equal(text, "remove bypass { connected; }\n");
	assert_string_equal(block, "bypass {\n    connected;\n    192.0.2.0/24;\n    2001:db8::/32;\n}\n");
	assert_string_equal(named, "binding \"a b\" { }\n");
}

static void test_line_break(void **state)
{
	AUTO(compose_drop) struct statements got = { 0 };
	char word[] = "a\nb", *words[] = { word }, *text = NULL;
	size_t size;
	struct ctl ctl = { .err = open_memstream(&text, &size) };

	(void)state;
	assert_int_equal(compose_statements(&ctl, B, words, 1, &got), CTL_USAGE);
	assert_int_equal(compose_elements(&ctl, words, 1, &got), CTL_USAGE);
	assert_int_equal(fclose(ctl.err), 0);
	assert_string_equal(text, "outbindctl: a word has a line break in it: expected one line\n"
				  "outbindctl: a word has a line break in it: expected one line\n");
	free(text);
}

#define LONG	"0123456789012345678901234567890123456789"

static const struct {
	const char *what, *text, *place;
	bool typed;
	const char *want;
} carets[] = {
	{ "typed: the place is of no use", "policy { usr 33 use a; }\n", "x:1:10", true,
	  "outbindctl: wrong\n    policy { usr 33 use a; }\n             ^\n" },
	{ "of a file: the place comes first", "a;\nb c;\n", "x:2:3", false, "x:2:3: wrong\n    b c;\n      ^\n" },
	{ "at the end of the line", "a b", "x:1:4", true, "outbindctl: wrong\n    a b\n       ^\n" },
	{ "behind it", "a b", "x:1:5", true, "x:1:5: wrong\n" },
	{ "a line that is not there", "a b\n", "x:3:1", true, "x:3:1: wrong\n" },
	{ "another text", "a b\n", "y:1:1", true, "y:1:1: wrong\n" },
	{ "a name that begins alike", "a b\n", "xy:1:1", true, "xy:1:1: wrong\n" },
	{ "no numbers", "a b\n", "x", true, "x: wrong\n" },
	{ "a file as a whole", "a b\n", "x:0:0", true, "x:0:0: wrong\n" },
	{ "bytes are not columns", "\xc3\xa4\xe4\xbd\xa0 b\n", "x:1:7", true, "outbindctl: wrong\n    \xc3\xa4\xe4\xbd\xa0 b\n        ^\n" },
	{ "tabs, returns, controls", "\ta\x1b b\r\n", "x:1:5", false, "x:1:5: wrong\n     a\\x1b b\n           ^\n" },
	{ "a long line loses its beginning", LONG LONG LONG "here " LONG LONG LONG LONG, "x:1:121", true,
	  "outbindctl: wrong\n    " LONG LONG "01234567890123456789" "x" "\n" },
};

static void test_carets(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(carets); i++) {
		const struct excerpt excerpt = { .name = "x", .text = carets[i].text, .typed = carets[i].typed };
		char *AUTO(mem_drop) text = NULL;
		size_t size;
		struct ctl ctl = { .excerpt = &excerpt, .err = open_memstream(&text, &size) };

		excerpt_print(&ctl, carets[i].place, "wrong");
		assert_int_equal(fclose(ctl.err), 0);
		if (i + 1 < ARRAY_LEN(carets))
			wrong += differs(carets[i].what, carets[i].place, text, carets[i].want);
		else				/* the caret stands under "here" */
			wrong += strcspn(strchr(text + 18, '\n') + 1, "^") != strcspn(text + 18, "h");
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_understood),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_line_break),
		cmocka_unit_test(test_carets),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
