/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl group add, group set, group remove: binding groups while everything runs. */
#include "change.h"
#include "verbs.h"

static int group_add_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(compose_drop) struct statements settings = { 0 };
	const char *name = args->rest[0];
	int r = compose_statements(ctl, grammar_group, args->rest + 1, args->n_rest - 1, &settings);

	if (r != CTL_DONE)
		return r;
	if (change_is_taken(ctl, name)) {
		ctl_complain(ctl,
			     "there is a binding or group '%s' already; `outbindctl group set` "
			     "changes a group",
			     name);
		return CTL_REFUSED;
	}
	return change_typed(ctl, compose_block("group", name, &settings),
			    args->value[CHANGE_DRY_RUN]);
}

static int group_set_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(compose_drop) struct statements settings = { 0 };
	int r = compose_statements(ctl, grammar_group_set, args->rest + 1, args->n_rest - 1,
				   &settings);

	return r == CTL_DONE ? change_settings(ctl, "group", args->rest[0], &settings,
					       args->value[CHANGE_DRY_RUN]) : r;
}

static int group_remove_run(struct ctl *ctl, const struct arguments *args)
{
	/* a binding may have connections, which only its own removal waits for */
	int r = change_check_kind(ctl, "group", args->rest[0], "remove");

	return r == CTL_DONE ? change_typed(ctl, compose_removal("remove group", args->rest[0]),
					    args->value[CHANGE_DRY_RUN]) : r;
}

const struct verb group_add_verb = {
	.name = "group add",
	.synopsis = "[--dry-run] NAME SETTING...",
	.summary = "define a binding group, at once and without a restart",
	.text = "Settings are written as in the configuration, without `;` and braces.\n\n"
		"  outbindctl group add pool member acme weight 3 member beta pick round-robin\n",
	.options = change_options,
	.least = 2,
	.most = SIZE_MAX,
	.words = grammar_group,
	.words_from = 1,
	.run = group_add_run,
};

const struct verb group_set_verb = {
	.name = "group set",
	.synopsis = "[--dry-run] NAME SETTING...",
	.summary = "change settings of a binding group",
	.text = "A setting replaces those of the same keyword, so all members are given if one changes;\n"
		"`remove KEYWORD` takes a setting away.\n\n"
		"  outbindctl group set pool member acme weight 1 member beta weight 1\n"
		"  outbindctl group set pool pick sticky-client\n",
	.options = change_options,
	.least = 2,
	.most = SIZE_MAX,
	.complete = COMPLETE_BINDING,
	.words = grammar_group_set,
	.words_from = 1,
	.run = group_set_run,
};

const struct verb group_remove_verb = {
	.name = "group remove",
	.synopsis = "[--dry-run] NAME",
	.summary = "remove a binding group; its members stay",
	.text = "Refused while something uses the group; the places are named.\n",
	.options = change_options,
	.least = 1,
	.most = 1,
	.complete = COMPLETE_BINDING,
	.run = group_remove_run,
};
