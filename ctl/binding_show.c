/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl binding show: one binding with all that is known of it. */
#include "agent.h"
#include "answer.h"
#include "reply.h"
#include "verbs.h"

/* One line per member, the label on the first only. */
static void add_texts(struct table *block, const char *label, const json_t *texts)
{
	for (size_t i = 0; i < json_array_size(texts); i++) {
		table_add(block, i == 0 ? label : "", TINT_DIM);
		table_add(block, json_string_value(json_array_get(texts, i)), TINT_PLAIN);
	}
}

static void add_family(struct table *block, const char *label, const json_t *family)
{
	bool usable = reply_true(family, "usable");
	const char *reason = reply_text(family, "reason");

	if (!*reason)
		reason = usable ? "usable" : "unusable";
	answer_line(block, label, reason, usable ? TINT_GOOD : TINT_BAD);
}

/* The implicit default binding has none. */
static void add_mark(struct table *block, long long mark)
{
	if (mark == 0)
		return;
	table_add(block, "mark", TINT_DIM);
	table_add_format(block, "0x%llx", (unsigned long long)mark);
}

/* "acme: weight 3, 75.0 %", and what is missing of it now. */
static void add_member(struct table *block, const json_t *member, bool first)
{
	const json_t *usable = reply_member(member, "usable");
	bool ipv4 = reply_true(usable, "ipv4"), ipv6 = reply_true(usable, "ipv6");

	table_add(block, first ? "members" : "", TINT_DIM);
	table_add_format(block, "%s: weight %lld, %.1f %%%s", reply_text(member, "name"),
			 reply_number(member, "weight"),
			 json_real_value(json_object_get(member, "share")),
			 ipv4 && ipv6 ? ""
			 : ipv4	      ? ", IPv4 only"
			 : ipv6	      ? ", IPv6 only"
				      : ", not usable");
}

static void add_group(struct table *block, const json_t *group)
{
	const json_t *members = reply_member(group, "members");

	answer_line(block, "pick", reply_text(group, "pick"), TINT_PLAIN);
	for (size_t i = 0; i < json_array_size(members); i++)
		add_member(block, json_array_get(members, i), i == 0);
}

static void add_warmup(struct table *block, const json_t *warmup)
{
	const char *state = reply_text(warmup, "state");

	if (!warmup)
		return;
	if (reply_number(warmup, "day") == 0) {
		answer_line(block, "warm-up", state, TINT_PLAIN);
		return;
	}
	table_add(block, "warm-up", TINT_DIM);
	table_add_format(block, "%s, day %lld of %lld, %lld of %lld new connections", state,
			 reply_number(warmup, "day"), reply_number(warmup, "days"),
			 reply_number(warmup, "used"), reply_number(warmup, "quota"));
}

static void binding_text(const struct ctl *ctl, const json_t *reply)
{
	struct table block = { .columns = answer_block, .n_columns = 2 };
	const json_t *binding = reply_member(reply, "binding"),
		     *usable = reply_member(binding, "usable");

	answer_line(&block, reply_member(binding, "group") ? "group" : "binding",
		    reply_text(binding, "name"), TINT_PLAIN);
	add_mark(&block, reply_number(binding, "mark"));
	add_texts(&block, "addresses", reply_member(binding, "addresses"));
	answer_line(&block, "ehlo", reply_text(binding, "ehlo"), TINT_PLAIN);
	answer_line(&block, "ehlo for IPv6", reply_text(binding, "ehlo6"), TINT_PLAIN);
	answer_line(&block, "interface", reply_text(binding, "interface"), TINT_PLAIN);
	answer_line(&block, "uplink", reply_text(reply_member(binding, "uplink"), "name"),
		    TINT_PLAIN);
	add_family(&block, "IPv4", reply_member(usable, "ipv4"));
	add_family(&block, "IPv6", reply_member(usable, "ipv6"));
	if (reply_member(binding, "group"))
		add_group(&block, reply_member(binding, "group"));
	else
		answer_line(&block, "if unusable", reply_text(binding, "unusable"), TINT_PLAIN);
	add_texts(&block, "limits", reply_member(binding, "limits"));
	answer_line(&block, "what exceeds", reply_text(binding, "overflow"), TINT_PLAIN);
	add_warmup(&block, reply_member(binding, "warmup"));
	add_texts(&block, "sends for", reply_member(binding, "sender_domains"));
	answer_line(&block, "requires", reply_text(binding, "require"), TINT_PLAIN);
	if (reply_true(binding, "suspended"))
		answer_line(&block, "suspended", "yes: new connections are refused", TINT_BAD);
	answer_line_count(&block, "named by", reply_number(binding, "rules"), "rule");
	add_texts(&block, "may be taken by", reply_member(binding, "allow"));
	answer_line(&block, "written at", reply_text(binding, "place"), TINT_PLAIN);
	table_print(&block, ctl->out, 0, ctl->color);
	table_drop(&block);
}

/* Programs want the binding, not the reply around it. */
static int binding_show_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(json_drop) json_t *reply = NULL;
	json_t *parameters = json_object();
	int r = agent_add_text(ctl, parameters, "name", args->rest[0]);

	if (r != CTL_DONE) {
		json_decref(parameters);
		return r;
	}
	r = agent_ask(ctl, "ShowBinding", parameters, &reply);
	if (r != CTL_DONE)
		return r;
	if (ctl->json)
		answer_json(ctl, reply_member(reply, "binding"));
	else
		binding_text(ctl, reply);
	return CTL_DONE;
}

const struct verb binding_show_verb = {
	.name = "binding show",
	.synopsis = "NAME",
	.summary = "one binding: addresses, whether they can be used, who may take it",
	.least = 1,
	.most = 1,
	.complete = COMPLETE_BINDING,
	.run = binding_show_run,
};
