/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl binding add, binding set: bindings made and changed while everything runs. */
#include "change.h"
#include "verbs.h"

static int binding_add_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(compose_drop) struct statements settings = { 0 };
	const char *name = args->rest[0];
	int r = compose_statements(ctl, grammar_binding, args->rest + 1, args->n_rest - 1,
				   &settings);

	if (r != CTL_DONE)
		return r;
	if (change_is_taken(ctl, name)) {
		ctl_complain(ctl,
			     "there is a binding or group '%s' already; `outbindctl binding set` "
			     "changes a binding",
			     name);
		return CTL_REFUSED;
	}
	return change_typed(ctl, compose_block("binding", name, &settings),
			    args->value[CHANGE_DRY_RUN]);
}

static int binding_set_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(compose_drop) struct statements settings = { 0 };
	int r = compose_statements(ctl, grammar_binding_set, args->rest + 1, args->n_rest - 1,
				   &settings);

	return r == CTL_DONE ? change_settings(ctl, "binding", args->rest[0], &settings,
					       args->value[CHANGE_DRY_RUN]) : r;
}

const struct verb binding_add_verb = {
	.name = "binding add",
	.synopsis = "[--dry-run] NAME SETTING...",
	.summary = "define a binding, at once and without a restart",
	.text = "Settings are written as in the configuration, without `;` and braces: each of its keywords\n"
		"begins one. It takes effect in one transaction, wins over the files and outlives restarts;\n"
		"`outbindctl save` folds it into the files. A name that is taken is refused. With\n"
		"`interface`, an address can be used 0.6 s later, if nobody on the link answered for it.\n\n"
		"  outbindctl binding add acme address 192.0.2.11,2001:db8::11 interface eth0\n"
		"  outbindctl binding add beta address 192.0.2.12 ehlo mx.beta.example unusable use acme\n"
		"  outbindctl binding add cold address 192.0.2.13 warmup day 1 200 day 2 500 overflow beta\n",
	.options = change_options,
	.least = 2,
	.most = SIZE_MAX,
	.words = grammar_binding,
	.words_from = 1,
	.run = binding_add_run,
};

const struct verb binding_set_verb = {
	.name = "binding set",
	.synopsis = "[--dry-run] NAME SETTING...",
	.summary = "change settings of a binding, at once and without a restart",
	.text = "A setting replaces those of the same keyword; the others stay. `remove KEYWORD` takes one\n"
		"away. Live connections keep their address; new ones get the new one.\n\n"
		"  outbindctl binding set acme address 192.0.2.12\n"
		"  outbindctl binding set acme limit connections 20 per destination\n"
		"  outbindctl binding set acme remove ehlo unusable reject\n"
		"  outbindctl binding set acme address 192.0.2.12 --dry-run\n",
	.options = change_options,
	.least = 2,
	.most = SIZE_MAX,
	.complete = COMPLETE_BINDING,
	.words = grammar_binding_set,
	.words_from = 1,
	.run = binding_set_run,
};
