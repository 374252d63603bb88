/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl default-binding: what traffic gets that no rule claims. */
#include "change.h"
#include "verbs.h"

#include <string.h>

static int default_binding_run(struct ctl *ctl, const struct arguments *args)
{
	const char *value = args->rest[0];
	char *text = strcmp(value, "unset") == 0 ? compose_removal("remove", "default-binding")
						  : compose_removal("default-binding", value);

	return change_typed(ctl, text, args->value[CHANGE_DRY_RUN]);
}

const struct verb default_binding_verb = {
	.name = "default-binding",
	.synopsis = "[--dry-run] normal|suspended|reject|unset",
	.summary = "what traffic gets that no rule claims",
	.text = "normal     it leaves as the binding `default`, or as without outbind if that has no address\n"
		"suspended  it is refused as if that binding were suspended\n"
		"reject     it is refused as by a rule\n"
		"unset      it is left alone, as where the configuration does not say\n",
	.options = change_options,
	.least = 1,
	.most = 1,
	.words = grammar_default,
	.run = default_binding_run,
};
