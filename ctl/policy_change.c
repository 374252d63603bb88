/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl policy add, policy remove: rules that come and go while everything runs. */
#include "change.h"
#include "verbs.h"

static int run(struct ctl *ctl, const struct arguments *args, const char *head,
	       const struct grammar *grammar)
{
	AUTO(compose_drop) struct statements rules = { 0 };
	int r = compose_statements(ctl, grammar, args->rest, args->n_rest, &rules);

	return r == CTL_DONE ? change_typed(ctl, compose_block(head, NULL, &rules),
					    args->value[CHANGE_DRY_RUN]) : r;
}

static int policy_add_run(struct ctl *ctl, const struct arguments *args)
{
	return run(ctl, args, "policy", grammar_policy);
}

static int policy_remove_run(struct ctl *ctl, const struct arguments *args)
{
	return run(ctl, args, "remove policy", grammar_policy_remove);
}

const struct verb policy_add_verb = {
	.name = "policy add",
	.synopsis = "[--dry-run] CLIENT [QUALIFIER...] ACTION ...",
	.summary = "add rules, or change what they do, at once",
	.text = "Rules are written as in the configuration, without `;`; several become one transaction. A\n"
		"rule for the same client and destination is replaced.\n\n"
		"  outbindctl policy add unit newsletter.service port 25 use acme\n"
		"  outbindctl policy add user www-data use acme  otherwise port 25 reject\n",
	.options = change_options,
	.least = 1,
	.most = SIZE_MAX,
	.words = grammar_policy,
	.run = policy_add_run,
};

const struct verb policy_remove_verb = {
	.name = "policy remove",
	.synopsis = "[--dry-run] CLIENT [QUALIFIER...] ...",
	.summary = "remove rules at once",
	.text = "A rule is named by its client and its destination, as `outbindctl policy list` shows them.\n\n"
		"  outbindctl policy remove unit newsletter.service port 25\n"
		"  outbindctl policy remove user www-data  otherwise port 25\n",
	.options = change_options,
	.least = 1,
	.most = SIZE_MAX,
	.words = grammar_policy_remove,
	.run = policy_remove_run,
};
