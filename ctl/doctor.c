/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl doctor: everything that usually goes wrong, with evidence and what mends it. The agent looks
 * and judges; where it does not answer, the same judgements are made here of what can be seen without it.
 */
#include "doctor.h"

#include "agent.h"
#include "answer.h"
#include "owner.h"
#include "reply.h"
#include "verbs.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { OPTION_CONFIG };

static const struct option options[] = {
	[OPTION_CONFIG] = { "config", "FILE", "what to judge if the agent does not answer",
			    COMPLETE_FILE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

static const char *const severities[] = { "error", "warning", "note" };

static const struct column columns[3] = { 0 };

static void add_line(struct table *table, const char *label, const char *text)
{
	if (!*text)
		return;
	table_add(table, "", TINT_PLAIN);
	table_add(table, label, TINT_DIM);
	table_add(table, text, TINT_PLAIN);
	table_end_row(table);
}

static void add_finding(struct table *table, const json_t *finding)
{
	const char *severity = reply_text(finding, "severity");

	table_add(table, severity, strcmp(severity, "note") == 0 ? TINT_DIM : TINT_BAD);
	table_add(table, reply_text(finding, "about"), TINT_PLAIN);
	table_add(table, reply_text(finding, "text"), TINT_PLAIN);
	table_end_row(table);
	add_line(table, "found", reply_text(finding, "evidence"));
	add_line(table, "mend", reply_text(finding, "remedy"));
}

static size_t count(const json_t *findings, const char *severity)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(findings); i++)
		n += strcmp(reply_text(json_array_get(findings, i), "severity"), severity) == 0;
	return n;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print(const struct ctl *ctl, const json_t *reply)
{
	struct table table = { .columns = columns, .n_columns = ARRAY_LEN(columns) };
	const json_t *findings = reply_member(reply, "findings");
	size_t n[ARRAY_LEN(severities)];

	for (size_t s = 0; s < ARRAY_LEN(severities); s++) {
		n[s] = count(findings, severities[s]);
		for (size_t i = 0; i < json_array_size(findings); i++) {
			const json_t *finding = json_array_get(findings, i);

			if (strcmp(reply_text(finding, "severity"), severities[s]) == 0)
				add_finding(&table, finding);
		}
	}
	table_print(&table, ctl->out, 0, ctl->color);
	table_drop(&table);
	if (reply_number(reply, "left_out") > 0)
		(void)fprintf(ctl->out, "and %lld more findings\n",
			      reply_number(reply, "left_out"));
	if (n[0] + n[1] == 0)
		(void)fputs("nothing is wrong", ctl->out);
	else
		(void)fprintf(ctl->out, "%zu error%s, %zu warning%s", n[0], plural(n[0]), n[1],
			      plural(n[1]));
	if (n[2] > 0)
		(void)fprintf(ctl->out, "; %zu note%s", n[2], plural(n[2]));
	(void)fputc('\n', ctl->out);
}

/* The agent sees no other process: whose number the owner of a table has is looked for here. */
static void name_owner(json_t *finding)
{
	long long port = reply_number(finding, "owner");
	const char *evidence = reply_text(finding, "evidence");
	char command[OWNER_COMMAND], *text = NULL;

	if (port <= 0 || port > INT_MAX || !owner_command((int)port, command))
		return;
	if (asprintf(&text, "%s, the number of process %s", evidence, command) < 0)
		abort();
	(void)json_object_set_new(finding, "evidence", json_string(text));
	free(text);
}

static void name_owners(const json_t *reply)
{
	const json_t *findings = reply_member(reply, "findings");

	for (size_t i = 0; i < json_array_size(findings); i++)
		name_owner(json_array_get(findings, i));
}

int doctor_ask(struct ctl *ctl, const char *config, json_t **ret_reply)
{
	AUTO(json_drop) json_t *status = NULL;
	int r = agent_ask_quietly(ctl, "GetStatus", NULL, &status);

	/* It is there: what it refuses from here on, it says itself. */
	if (r != CTL_UNREACHABLE && r != CTL_DENIED) {
		r = agent_ask(ctl, "Diagnose", NULL, ret_reply);
		if (r == CTL_DONE && json_is_false(json_object_get(*ret_reply, "clock")))
			doctor_add_clock(*ret_reply);
	} else {
		*ret_reply = doctor_alone(ctl, config, r == CTL_DENIED);
		r = CTL_DONE;
	}
	if (r == CTL_DONE)
		name_owners(*ret_reply);
	return r;
}

static int doctor_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(json_drop) json_t *reply = NULL;
	const char *config = args->value[OPTION_CONFIG];
	int r = doctor_ask(ctl, config ? config : CTL_CONFIGURATION, &reply);
	const json_t *findings;

	if (r != CTL_DONE)
		return r;
	answer_reply(ctl, reply, print);
	findings = reply_member(reply, "findings");
	return count(findings, "error") + count(findings, "warning") > 0 ? CTL_NO : CTL_DONE;
}

const struct verb doctor_verb = {
	.name = "doctor",
	.synopsis = "",
	.summary = "look for everything that usually goes wrong, and say what mends it",
	.text = "Other tables that translate sources or use our mark bits, routing rules, kernel settings,\n"
		"rights of files, addresses, health. The exit status is 1 if there is an error or a\n"
		"warning; notes do not count. Without an agent it says what can be seen without one:\n"
		"other tables only as root.\n",
	.options = options,
	.run = doctor_run,
};
