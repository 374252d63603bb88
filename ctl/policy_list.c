/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl policy list: every rule in one line, most specific first. */
#include "answer.h"
#include "reply.h"
#include "verbs.h"

static const struct column columns[] = {
	{ "CLIENT", ALIGN_LEFT },
	{ "TO", ALIGN_LEFT },
	{ "ACTION", ALIGN_LEFT },
	{ "WRITTEN AT", ALIGN_LEFT },
};

static void add_rule(struct table *table, const json_t *rule)
{
	const char *to = reply_text(rule, "to");

	table_add(table, reply_text(rule, "client"), TINT_PLAIN);
	table_add(table, *to ? to : "anywhere", *to ? TINT_PLAIN : TINT_DIM);
	table_add(table, reply_text(rule, "action"), TINT_PLAIN);
	table_add(table, reply_text(rule, "place"), TINT_DIM);
}

static int policy_list_run(struct ctl *ctl, const struct arguments *args)
{
	static const struct list policy = {
		.method = "ListPolicy",
		.key = "rules",
		.none = "no rules",
		.columns = columns,
		.n_columns = ARRAY_LEN(columns),
		.row = add_rule,
	};

	(void)args;
	return answer_list(ctl, &policy);
}

const struct verb policy_list_verb = {
	.name = "policy list",
	.synopsis = "",
	.summary = "all policy rules, the most specific first",
	.run = policy_list_run,
};
