/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl status: what the agent is, what it did, what it found. */
#include "agent.h"
#include "answer.h"
#include "reply.h"
#include "verbs.h"

#include <string.h>

/* Of the word behind a number. */
static const char *plural(const json_t *reply, const char *name)
{
	return reply_number(reply, name) == 1 ? "" : "s";
}

static void add_features(struct table *block, const json_t *reply)
{
	static const char *const names[] = { "owner", "persist", "destroy" };
	const json_t *features = reply_member(reply, "features");
	char text[64] = "";

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (reply_true(features, names[i]))
			(void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s",
				       *text ? ", " : "", names[i]);
	answer_line(block, "kernel has", *text ? text : "none of owner, persist, destroy",
		    TINT_PLAIN);
}

static void add_counters(struct table *block, const json_t *reply)
{
	const json_t *counters = reply_member(reply, "counters");

	table_add(block, "refused", TINT_DIM);
	table_add_format(block,
			 "%lld by rule, %lld for an unusable binding, %lld for a reused port",
			 reply_number(counters, "refused_rule"),
			 reply_number(counters, "refused_unusable"),
			 reply_number(counters, "refused_reused"));
	table_add(block, "limits", TINT_DIM);
	table_add_format(block, "%lld refused, %lld to another binding, %lld made to ask again",
			 reply_number(counters, "refused_limit"),
			 reply_number(counters, "overflowed"),
			 reply_number(counters, "delayed_limit"));
	table_add(block, "dropped", TINT_DIM);
	table_add_format(block, "%lld that no flow could be found for, %lld by the guard, "
			 "%lld that would have missed their uplink, %lld while the rules were changed",
			 reply_number(counters, "dropped_stray"),
			 reply_number(counters, "dropped_guard"),
			 reply_number(counters, "dropped_uplink"),
			 reply_number(counters, "delayed_change"));
}

static void add_sources(struct table *block, const json_t *reply)
{
	const json_t *sources = reply_member(reply, "sources");
	const json_t *census = reply_member(reply, "census");
	const json_t *log = reply_member(reply, "flow_log");
	const json_t *ports = reply_member(reply, "ports");
	long long wrong = reply_number(sources, "wrong");
	char text[96];

	(void)snprintf(text, sizeof text, "%lld connections left with a wrong one, %lld packets "
		       "with one were refused", wrong, reply_number(sources, "refused"));
	answer_line(block, "sources", text, wrong ? TINT_BAD : TINT_PLAIN);
	table_add(block, "ports", TINT_DIM);
	table_add_format(block,
			 "%lld destinations are short of them, %lld warnings so far, %lld times "
			 "there were none left", reply_number(ports, "short"),
			 reply_number(ports, "warnings"), reply_number(ports, "exhaustions"));
	if (log) {
		table_add(block, "flow log", TINT_DIM);
		table_add_format(block, "%s, %lld records, %lld dropped%s%s",
				 reply_text(log, "file"), reply_number(log, "written"),
				 reply_number(log, "dropped"),
				 *reply_text(log, "error") ? ": " : "", reply_text(log, "error"));
	}
	if (reply_number(census, "serial") == 0)
		return;
	table_add(block, "census", TINT_DIM);
	table_add_format(block, "%lld entries of conntrack, counted in %lld ms, %lld s ago",
			 reply_number(census, "entries"), reply_number(census, "took_us") / 1000,
			 reply_number(census, "age_ms") / 1000);
}

static void add_work(struct table *block, const json_t *reply)
{
	long long groups = reply_number(reply, "groups");
	char of_them[48] = "";

	if (groups > 0)
		(void)snprintf(of_them, sizeof of_them, ", %lld group%s", groups,
			       groups == 1 ? "" : "s");
	table_add(block, "bindings", TINT_DIM);
	table_add_format(block, "%lld%s, %lld usable", reply_number(reply, "bindings") - groups,
			 of_them, reply_number(reply, "usable"));
	answer_line_count(block, "policy", reply_number(reply, "rules"), "rule");
	answer_line(block, "default-binding",
		    reply_text(reply_member(reply, "default_binding"), "action"), TINT_PLAIN);
	table_add(block, "table", TINT_DIM);
	table_add_format(
		block, "inet %s, mask 0x%llx, %lld elements, %s", reply_text(reply, "table"),
		(unsigned long long)reply_number(reply, "mask"), reply_number(reply, "elements"),
		reply_true(reply, "owned") ? "owned" : "not owned");
	table_add(block, "work", TINT_DIM);
	table_add_format(block, "%lld transaction%s, %lld repair%s, %lld time%s notices were lost",
			 reply_number(reply, "transactions"), plural(reply, "transactions"),
			 reply_number(reply, "heals"), plural(reply, "heals"),
			 reply_number(reply, "notices_lost"), plural(reply, "notices_lost"));
	table_add(block, "memory", TINT_DIM);
	table_add_format(block, "%lld KiB", reply_number(reply, "memory") / 1024);
}

/* Sockets that others connect to, and who reads them. */
static void add_doors(struct table *block, const json_t *reply)
{
	static const char *const doors[] = { "control", "tags" };
	const json_t *gates = reply_member(reply, "gates");
	const json_t *capabilities = reply_member(reply, "capabilities");
	char text[256] = "";

	for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
		const json_t *door = reply_member(reply, doors[i]);

		table_add(block, doors[i], TINT_DIM);
		table_add_format(block, "%lld connected, %lld asked too often, %lld turned away",
				 reply_number(door, "peers"), reply_number(door, "limited"),
				 reply_number(door, "refused"));
	}
	for (size_t i = 0; i < json_array_size(gates); i++) {
		const json_t *gate = json_array_get(gates, i);

		table_add(block, "gate", TINT_DIM);
		table_add_format(block, "for %s: pid %lld, ended %lld time%s",
				 reply_text(gate, "peers"), reply_number(gate, "pid"),
				 reply_number(gate, "ended"), plural(gate, "ended"));
	}
	for (size_t i = 0; i < json_array_size(capabilities); i++)
		(void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s",
			       *text ? ", " : "",
			       json_string_value(json_array_get(capabilities, i)));
	answer_line(block, "capabilities", *text ? text : "none", TINT_PLAIN);
}

static void add_removals(struct table *block, const json_t *removals)
{
	for (size_t i = 0; i < json_array_size(removals); i++) {
		const json_t *one = json_array_get(removals, i);

		table_add(block, "removing", TINT_DIM);
		table_add_format(block, "%s: %lld of %lld connections left",
				 reply_text(one, "name"), reply_number(one, "connections"),
				 reply_number(one, "at_start"));
	}
}

static void status_text(const struct ctl *ctl, const json_t *reply)
{
	struct table block = { .columns = answer_block, .n_columns = 2 };
	const json_t *warnings = reply_member(reply, "warnings");

	table_add(&block, "agent", TINT_DIM);
	table_add_format(&block, "outbindd %s, pid %lld, since %s", reply_text(reply, "version"),
			 reply_number(reply, "pid"), reply_text(reply, "started"));
	table_add(&block, "configuration", TINT_DIM);
	table_add_format(&block, "%s, generation %lld", reply_text(reply, "configuration"),
			 reply_number(reply, "generation"));
	answer_line(&block, "last reload", reply_text(reply, "last_reload"), TINT_PLAIN);
	answer_line(&block, "applied", reply_text(reply, "applied"), TINT_PLAIN);
	add_work(&block, reply);
	add_features(&block, reply);
	add_counters(&block, reply);
	add_sources(&block, reply);
	add_doors(&block, reply);
	add_removals(&block, reply_member(reply, "removals"));
	for (size_t i = 0; i < json_array_size(warnings); i++)
		answer_line(&block, "warning", json_string_value(json_array_get(warnings, i)),
			    TINT_BAD);
	table_print(&block, ctl->out, 0, ctl->color);
	table_drop(&block);
}

static int status_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(json_drop) json_t *reply = NULL;
	int r = agent_ask(ctl, "GetStatus", NULL, &reply);

	(void)args;
	if (r == CTL_DONE)
		answer_reply(ctl, reply, status_text);
	return r;
}

const struct verb status_verb = {
	.name = "status",
	.synopsis = "",
	.summary = "what the agent is doing, and what it warns of",
	.run = status_run,
};
