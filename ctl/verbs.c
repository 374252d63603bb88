/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of verbs, and the way from a command line to one of them. A verb exists by standing
 * here: help.c and complete.c read the same list.
 */
#include "verbs.h"

#include "arguments.h"
#include "complete.h"
#include "help.h"
#include "nearest.h"

#include <string.h>

const struct verb *const verbs[] = {
	&status_verb,
	&health_verb,
	&monitor_verb,
	&top_verb,
	&flows_verb,
	&doctor_verb,
	&report_verb,
	&capacity_verb,
	&metrics_verb,
	&explain_verb,
	&exec_verb,
	&verify_verb,
	&capture_verb,
	&settle_verb,

	&binding_list_verb,
	&binding_show_verb,
	&binding_add_verb,
	&binding_set_verb,
	&binding_suspend_verb,
	&binding_resume_verb,
	&binding_warmup_verb,
	&binding_remove_verb,
	&group_add_verb,
	&group_set_verb,
	&group_remove_verb,

	&policy_list_verb,
	&policy_add_verb,
	&policy_remove_verb,
	&bypass_add_verb,
	&bypass_remove_verb,
	&default_binding_verb,

	&relay_explain_verb,
	&relay_status_verb,
	&relay_metrics_verb,

	&apply_verb,
	&diff_verb,
	&save_verb,
	&reload_verb,
	&check_verb,
	&render_verb,

	&help_verb,
	NULL,
};

/* A verb that is added to the list above stands under the title before it. */
static const struct {
	const struct verb *first;
	const char *title;
} titles[] = {
	{ &status_verb, "Look and try" },
	{ &binding_list_verb, "Bindings and groups" },
	{ &policy_list_verb, "Who gets which" },
	{ &relay_explain_verb, "The relay" },
	{ &apply_verb, "Whole configurations" },
	{ &help_verb, "Help" },
};

const char *verbs_title(const struct verb *verb)
{
	for (size_t i = 0; i < ARRAY_LEN(titles); i++)
		if (titles[i].first == verb)
			return titles[i].title;
	return NULL;
}

const struct verb *verbs_find(const char *name)
{
	for (size_t i = 0; verbs[i]; i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

bool verbs_is_group(const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; len > 0 && verbs[i]; i++)
		if (strncmp(verbs[i]->name, word, len) == 0 && verbs[i]->name[len] == ' ')
			return true;
	return false;
}

const char *verbs_nearest(const char *name)
{
	struct nearest nearest = { .word = name };
	char first[64]; /* word of two: so far no more than that was typed */

	for (size_t i = 0; verbs[i]; i++) {
		(void)snprintf(first, sizeof first, "%.*s", (int)strcspn(verbs[i]->name, " "),
			       verbs[i]->name);
		nearest_try(&nearest, verbs[i]->name);
		nearest_try(&nearest, first);
		if (nearest.best == first)
			nearest.best = verbs[i]->name;
	}
	return nearest.best;
}

/* Settings of the run that options change. */
static int set_globals(struct ctl *ctl, const struct command_line *line)
{
	const char *color = line->global[GLOBAL_COLOR];

	if (line->global[GLOBAL_JSON])
		ctl->json = true;
	if (line->global[GLOBAL_RUNTIME_DIR])
		ctl->runtime_dir = line->global[GLOBAL_RUNTIME_DIR];
	if (!color || strcmp(color, "auto") == 0)
		return CTL_DONE;
	ctl->color = strcmp(color, "always") == 0;
	if (ctl->color || strcmp(color, "never") == 0)
		return CTL_DONE;
	ctl_complain(ctl, "--color: expected auto, always or never, got '%s'", color);
	return CTL_USAGE;
}

int verbs_run(struct ctl *ctl, int argc, char **argv)
{
	struct command_line line;
	int r;

	if (argc > 1 && strcmp(argv[1], "--complete") == 0)
		return complete_words(ctl, argv + 2, (size_t)argc - 2);
	r = arguments_parse(argv + 1, argc > 0 ? (size_t)argc - 1 : 0, &line);
	if (r < 0) {
		ctl_complain(ctl, "%s", line.problem);
		return CTL_USAGE;
	}
	r = set_globals(ctl, &line);
	if (r != CTL_DONE)
		return r;
	if (line.global[GLOBAL_HELP])
		return help_about(ctl->out, line.verb, line.group);
	if (line.global[GLOBAL_VERSION])
		return fprintf(ctl->out, "outbindctl %s\n", OUTBIND_VERSION) < 0 ? CTL_REFUSED
										 : CTL_DONE;
	if (!line.verb) {
		(void)help_about(ctl->err, NULL, line.group);
		ctl_complain(ctl, "a verb is needed%s%s", line.group ? " after " : "",
			     line.group ? line.group : "");
		return CTL_USAGE;
	}
	return line.verb->run(ctl, &line.args);
}
