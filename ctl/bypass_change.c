/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl bypass add, bypass remove: destinations that are left alone. */
#include "change.h"
#include "verbs.h"

static int run(struct ctl *ctl, const struct arguments *args, const char *head)
{
	AUTO(compose_drop) struct statements entries = { 0 };
	int r = compose_elements(ctl, args->rest, args->n_rest, &entries);

	return r == CTL_DONE ? change_typed(ctl, compose_block(head, NULL, &entries),
					    args->value[CHANGE_DRY_RUN]) : r;
}

static int bypass_add_run(struct ctl *ctl, const struct arguments *args)
{
	return run(ctl, args, "bypass");
}

static int bypass_remove_run(struct ctl *ctl, const struct arguments *args)
{
	return run(ctl, args, "remove bypass");
}

const struct verb bypass_add_verb = {
	.name = "bypass add",
	.synopsis = "[--dry-run] PREFIX...",
	.summary = "leave destinations alone: never rewritten, never refused",
	.text = "Beside prefixes there are the words `connected` and `private`, see outbind.conf(5).\n\n"
		"  outbindctl bypass add 198.51.100.0/24 2001:db8:9::/48\n",
	.options = change_options,
	.least = 1,
	.most = SIZE_MAX,
	.run = bypass_add_run,
};

const struct verb bypass_remove_verb = {
	.name = "bypass remove",
	.synopsis = "[--dry-run] PREFIX...",
	.summary = "end what `bypass add` or the configuration began",
	.text = "  outbindctl bypass remove 198.51.100.0/24\n",
	.options = change_options,
	.least = 1,
	.most = SIZE_MAX,
	.run = bypass_remove_run,
};
