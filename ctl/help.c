/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verb `help`, and the text behind every --help. Nothing here knows a verb by name. */
#include "help.h"

#include "arguments.h"

#include <string.h>

static void print_option(FILE *out, const struct option *option)
{
	char left[48];

	(void)snprintf(left, sizeof left, "--%s%s%s", option->name, option->value ? " " : "",
		       option->value ? option->value : "");
	(void)fprintf(out, "  %-20s %s\n", left, option->summary);
}

static void print_options(FILE *out, const char *title, const struct option *options)
{
	if (!options)
		return;
	(void)fprintf(out, "\n%s\n", title);
	for (size_t i = 0; options[i].name; i++)
		print_option(out, &options[i]);
}

static void print_exit_codes(FILE *out)
{
	(void)fputs(
		"\nExit status:\n"
		"  0  done, or the answer is yes\n"
		"  1  the answer is no: configuration invalid, differences found, refused, not in agreement\n"
		"  2  the command line is wrong\n"
		"  3  the agent cannot be reached\n"
		"  4  permission denied\n"
		"  5  the agent or the kernel refused\n"
		"`exec` returns the status of the command, 126 or 127 if it cannot be run, and\n"
		"128 + N if signal N ended it.\n",
		out);
}

static bool is_in_group(const struct verb *verb, const char *group)
{
	size_t len = group ? strlen(group) : 0;

	return !group || (strncmp(verb->name, group, len) == 0 && verb->name[len] == ' ');
}

static void print_verb(FILE *out, const struct verb *verb)
{
	(void)fprintf(out, "outbindctl %s%s%s\n\n%s\n", verb->name, *verb->synopsis ? " " : "",
		      verb->synopsis, verb->summary);
	if (verb->text)
		(void)fprintf(out, "\n%s", verb->text);
	print_options(out, "Options:", verb->options);
	print_options(out, "Options of every verb:", arguments_globals);
	print_exit_codes(out);
}

static void print_verbs(FILE *out, const char *group)
{
	if (group)
		(void)fputs("Verbs:\n", out);
	for (size_t i = 0; verbs[i]; i++) {
		const char *title = group ? NULL : verbs_title(verbs[i]);

		if (title)
			(void)fprintf(out, "%s%s:\n", i > 0 ? "\n" : "", title);
		if (is_in_group(verbs[i], group))
			(void)fprintf(out, "  %-16s %s\n", verbs[i]->name, verbs[i]->summary);
	}
}

int help_about(FILE *out, const struct verb *verb, const char *group)
{
	if (verb) {
		print_verb(out, verb);
		return CTL_DONE;
	}
	if (!group)
		(void)fputs(
			"outbindctl [OPTION...] VERB [ARGUMENT...]\n\n"
			"Look at and change what outbindd does: which source address each sender gets.\n\n",
			out);
	print_verbs(out, group);
	if (group)
		return CTL_DONE;
	print_options(out, "Options:", arguments_globals);
	print_exit_codes(out);
	(void)fputs("\n`outbindctl help VERB` explains a verb.\n", out);
	return CTL_DONE;
}

static int help_run(struct ctl *ctl, const struct arguments *args)
{
	const char *first = args->n_rest > 0 ? args->rest[0] : NULL;
	const char *second = args->n_rest > 1 ? args->rest[1] : NULL;
	const char *nearest;
	char name[64];

	if (!first || (!second && verbs_is_group(first)))
		return help_about(ctl->out, NULL, first);
	(void)snprintf(name, sizeof name, "%s%s%s", first, second ? " " : "", second ? second : "");
	if (verbs_find(name))
		return help_about(ctl->out, verbs_find(name), NULL);
	nearest = verbs_nearest(name);
	ctl_complain(ctl, "unknown verb '%s'%s%s%s", name, nearest ? "; did you mean '" : "",
		     nearest ? nearest : "", nearest ? "'?" : "");
	return CTL_USAGE;
}

const struct verb help_verb = {
	.name = "help",
	.synopsis = "[VERB]",
	.summary = "explain the program or one verb",
	.most = 2,
	.complete = COMPLETE_VERB,
	.run = help_run,
};
