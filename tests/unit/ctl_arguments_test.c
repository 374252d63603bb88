/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines, taken apart; and what is said of wrong ones. */
#include "../../ctl/arguments.h"
#include "ctl_support.h"

static const struct {
	const char *what, *line, *want;
} lines[] = {
	{ "nothing", "", "-" },
	{ "a verb of one word", "status", "status" },
	{ "a verb of two words", "binding list", "binding list" },
	{ "an argument", "binding show acme", "binding show [acme]" },
	{ "global option before the verb", "--json status", "json status" },
	{ "global option after the verb", "status --json", "json status" },
	{ "global option within the verb", "binding --json list", "json binding list" },
	{ "value as the next word", "--runtime-dir /x status", "dir=/x status" },
	{ "value after an equals sign", "--runtime-dir=/x status", "dir=/x status" },
	{ "an empty value", "--runtime-dir= status", "dir= status" },
	{ "a value may look like an option", "--runtime-dir --json status", "dir=--json status" },
	{ "options of the verb", "explain --to 1.2.3.4 --port=25", "explain to=1.2.3.4 port=25" },
	{ "two dashes end options", "binding show -- --json", "binding show [--json]" },
	{ "exec leaves the command alone", "exec acme -- ls -l --json -- x", "exec [acme] [ls] [-l] [--json] [--] [x]" },
	{ "exec without the dashes", "exec acme ls -l", "exec [acme] [ls] [-l]" },
	{ "exec with options before", "--json exec acme -- ls", "json exec [acme] [ls]" },
	{ "help needs no arguments", "binding show --help", "help binding show" },
	{ "-h is --help", "-h", "help -" },
	{ "help about a verb", "help binding list", "help [binding] [list]" },
	{ "half a verb", "binding", "binding?" },

	{ "unknown verb", "frobnicate", "! unknown verb 'frobnicate'; `outbindctl help` lists them" },
	{ "misspelt verb", "staus", "! unknown verb 'staus'; did you mean 'status'?" },
	{ "misspelt first word", "bindng list", "! unknown verb 'bindng'; did you mean 'binding list'?" },
	{ "misspelt second word", "binding lst", "! unknown verb 'binding lst'; did you mean 'binding list'?" },
	{ "abbreviated verb", "relo", "! unknown verb 'relo'; did you mean 'reload'?" },
	{ "unknown option", "status --frob", "! unknown option --frob of status" },
	{ "misspelt global option", "--jsn status", "! unknown option --jsn; did you mean --json?" },
	{ "misspelt option of the verb", "explain --uint x", "! unknown option --uint of explain; did you mean --unit?" },
	{ "option of a verb before it", "--to 1.2.3.4 explain", "! unknown option --to" },
	{ "short option", "status -v", "! unknown option -v; options are written --name" },
	{ "option twice", "status --json --json", "! --json is given twice" },
	{ "value for a flag", "status --json=yes", "! --json takes no value" },
	{ "no value", "status --runtime-dir", "! --runtime-dir needs a value: DIR" },
	{ "too few arguments", "binding show", "! binding show needs more arguments: outbindctl binding show NAME" },
	{ "settings", "binding set acme address 192.0.2.1 --dry-run", "binding set dry-run= [acme] [address] [192.0.2.1]" },
	{ "standard input is no option", "apply - --whole", "apply whole= [-]" },
	{ "too many arguments", "status now", "! status: 'now' is one argument too many" },
	{ "exec without a command", "exec acme --", "! exec needs more arguments: outbindctl exec [--unit-name NAME] BINDING -- COMMAND [ARGUMENT...]" },
};

static void print_line(FILE *out, const struct command_line *line)
{
	const struct option *options = line->verb ? line->verb->options : NULL;

	if (line->global[GLOBAL_JSON])
		(void)fprintf(out, "json ");
	if (line->global[GLOBAL_HELP])
		(void)fprintf(out, "help ");
	if (line->global[GLOBAL_RUNTIME_DIR])
		(void)fprintf(out, "dir=%s ", line->global[GLOBAL_RUNTIME_DIR]);
	(void)fprintf(out, "%s", line->verb ? line->verb->name : line->group ? line->group : "-");
	if (line->group)
		(void)fputc('?', out);
	for (size_t i = 0; options && options[i].name; i++)
		if (line->args.value[i])
			(void)fprintf(out, " %s=%s", options[i].name, line->args.value[i]);
	for (size_t i = 0; i < line->args.n_rest; i++)
		(void)fprintf(out, " [%s]", line->args.rest[i]);
}

static int check_line(const char *what, const char *text, const char *want)
{
	char *AUTO(mem_drop) copy = strdup(text), *rest = copy, *words[16] = { NULL }, *word;
	char got[640] = "";
	struct command_line line;
	FILE *out = fmemopen(got, sizeof got, "w");
	size_t n = 0;

	while ((word = strsep(&rest, " ")))
		if (*word)
			words[n++] = word;
	if (arguments_parse(words, n, &line) < 0)
		(void)fprintf(out, "! %s", line.problem);
	else
		print_line(out, &line);
	(void)fclose(out);
	return differs(what, text, got, want);
}

static void test_lines(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		wrong += check_line(lines[i].what, lines[i].line, lines[i].want);
	assert_int_equal(wrong, 0);
}

static const struct {
	const char *what, *line, *want;
} completions[] = {
	{ "all verbs, each first word once", "''",
	  "status health monitor top flows doctor report capacity metrics explain exec verify capture settle "
	  "binding group policy bypass default-binding relay apply diff save reload check render help " },
	{ "verbs by prefix", "re", "report relay reload render " },
	{ "second words", "binding ''", "list show add set suspend resume warmup remove " },
	{ "options", "check --p", "--print " },
	{ "options without a verb", "--j", "--json " },
	{ "value of an option", "--color a", "auto always " },
	{ "files are the shell's", "check ''", "" },
	{ "nothing after the last argument", "binding show acme ''", "" },
	{ "the command of exec is the shell's", "exec acme -- l", "" },
	{ "verbs to explain", "help b", "binding bypass " },
	{ "second words to explain", "help policy ''", "list add remove " },
	{ "what is done with a warm-up", "binding warmup x ''", "start pause resume status " },
	{ "nothing after it", "binding warmup x start ''", "" },
	{ "settings after the name", "binding add x e", "ehlo " },
	{ "no settings where a value belongs", "binding add x ehlo ''", "" },
	{ "a value that looks like a keyword", "binding add x ehlo interface inter", "interface " },
	{ "what a keyword needs", "binding set x unusable ''", "reject default use " },
	{ "settings when that is said", "binding set x unusable reject add", "address " },
	{ "what may come, and settings", "binding set x address 192.0.2.1 r", "routed require remove " },
	{ "nothing more to a list that goes on", "binding set x address 192.0.2.1, r", "" },
	{ "settings to remove", "binding set x remove e", "ehlo " },
	{ "in a warm-up", "binding add x warmup day 1 2 ''", "day overflow address ehlo interface uplink unusable warmup probe sender-domain require overflow limit allow " },
	{ "of a rule", "policy add user 1 ''", "to port protocol use pass reject " },
	{ "an action is needed", "policy add user 1 u", "use " },
	{ "the next rule", "policy add user 1 pass ''", "unit cgroup user group source otherwise " },
	{ "of a rule to be removed", "policy remove user 1 p", "port protocol " },
	{ "or the next one", "policy remove user 1 o", "otherwise " },
	{ "of a group", "group add x member a weight 3 p", "pick " },
	{ "what is left alone", "default-binding ''", "normal suspended reject unset " },
	{ "no more than one", "default-binding normal ''", "" },
	{ "files to apply are the shell's", "apply ''", "" },
	{ "options of apply", "apply --", "--json --runtime-dir --color --help --version --dry-run --whole " },
	{ "nothing after a mistake", "frob ''", "" },
};

static void test_completions(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(completions); i++) {
		AUTO(run_drop) struct run run = { 0 };
		char line[128];

		(void)snprintf(line, sizeof line, "--complete %s", completions[i].line);
		run = run_ctl("/nonexistent", line);
		for (char *at = run.out; *at; at++)
			*at = *at == '\n' ? ' ' : *at;
		wrong += differs(completions[i].what, "offers", run.out, completions[i].want);
		wrong += differs(completions[i].what, "stderr", run.err, "");
	}
	assert_int_equal(wrong, 0);
}

/* Every verb has what help and dispatch need, and its options fit. */
static void test_verbs(void **state)
{
	(void)state;
	for (size_t i = 0; verbs[i]; i++) {
		size_t n = 0;

		assert_non_null(verbs[i]->run);
		assert_non_null(verbs[i]->synopsis);
		assert_non_null(verbs[i]->summary);
		assert_ptr_equal(verbs_find(verbs[i]->name), verbs[i]);
		while (verbs[i]->options && verbs[i]->options[n].name)
			n++;
		assert_in_range(n, 0, OPTIONS_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_completions),
		cmocka_unit_test(test_verbs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
