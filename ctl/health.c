/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl health: what can be used, why not, and since when; a check for scripts as well. */
#include "agent.h"
#include "answer.h"
#include "base/mem.h"
#include "duration.h"
#include "event.h"
#include "reply.h"
#include "verbs.h"

#include <string.h>

enum { OPTION_WATCH };

static const struct option options[] = {
	[OPTION_WATCH] = { "watch", NULL, "go on, and print each change as it comes",
			   COMPLETE_NONE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

static const struct column columns[] = {
	{ "NAME", ALIGN_LEFT }, { "KIND", ALIGN_LEFT }, { "FAMILY", ALIGN_LEFT },
	{ "STATE", ALIGN_LEFT }, { "SINCE", ALIGN_RIGHT }, { "REASON", ALIGN_LEFT },
};

struct health {					/* all rows, before they are put in order */
	json_t *rows;
	bool unusable;
};

enum { UNUSABLE, STAND_IN, SUSPENDED, USABLE };	/* rank() */

/* What needs looking at comes first. */
static int rank(const json_t *row)
{
	static const char *const order[] = { "unusable", "stand-in", "suspended" };
	const char *state = reply_text(row, "state");

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (strcmp(state, order[i]) == 0)
			return (int)i;
	return (int)ARRAY_LEN(order);
}

static int by_state(const void *left, const void *right)
{
	const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
	int order = rank(a) - rank(b);

	if (order == 0)
		order = strcmp(reply_text(a, "name"), reply_text(b, "name"));
	if (order == 0)
		order = strcmp(reply_text(a, "kind"), reply_text(b, "kind"));
	return order ? order : strcmp(reply_text(a, "family"), reply_text(b, "family"));
}

static void take_rows(void *context, json_t *reply)
{
	struct health *health = context;
	json_t *rows = json_object_get(reply, "health");

	for (size_t i = 0; i < json_array_size(rows); i++)
		health->unusable |= rank(json_array_get(rows, i)) == UNUSABLE;
	(void)json_array_extend(health->rows, rows);
}

static void sort(struct health *health)
{
	size_t n = json_array_size(health->rows);
	json_t **AUTO(mem_drop) order = mem_zero(n, sizeof *order), *sorted = json_array();

	for (size_t i = 0; i < n; i++)
		order[i] = json_array_get(health->rows, i);
	qsort(order, n, sizeof(json_t *), by_state);
	for (size_t i = 0; i < n; i++)
		json_array_append(sorted, order[i]);
	json_decref(health->rows);
	health->rows = sorted;
}

static void add_row(struct table *table, const json_t *row)
{
	static const enum tint tints[] = { TINT_BAD, TINT_BAD, TINT_DIM, TINT_GOOD };
	char since[DURATION_TEXT];

	table_add(table, reply_text(row, "name"), TINT_PLAIN);
	table_add(table, reply_text(row, "kind"), TINT_PLAIN);
	table_add(table, reply_text(row, "family"), TINT_PLAIN);
	table_add(table, reply_text(row, "state"), tints[rank(row)]);
	table_add(table, duration_print(reply_number(row, "for_ms"), since), TINT_PLAIN);
	if (rank(row) == SUSPENDED && strcmp(reply_text(row, "reason"), "usable") == 0)
		table_add(table, "by root; `binding resume` ends it", TINT_PLAIN);
	else
		table_add(table, rank(row) == USABLE ? "" : reply_text(row, "reason"), TINT_PLAIN);
}

static void print(const struct ctl *ctl, const struct health *health, bool named)
{
	struct table table = { .columns = columns, .n_columns = ARRAY_LEN(columns) };

	if (ctl->json) {
		AUTO(json_drop) json_t *all = json_pack("{s:O}", "health", health->rows);

		answer_json(ctl, all);
		return;
	}
	for (size_t i = 0; i < json_array_size(health->rows); i++)
		add_row(&table, json_array_get(health->rows, i));
	if (json_array_size(health->rows) == 0)
		(void)fputs(named ? "nothing to tell: it has no addresses of its own\n"
				  : "no bindings\n", ctl->out);
	else
		table_print(&table, ctl->out, ctl->width, ctl->color);
	table_drop(&table);
}

static int ask(struct ctl *ctl, const struct arguments *args, struct health *health)
{
	int r = CTL_DONE;

	if (args->n_rest == 0)
		return agent_call(ctl, "Health", NULL, take_rows, health);
	for (size_t i = 0; i < args->n_rest && r == CTL_DONE; i++) {
		json_t *parameters = json_object();

		r = agent_add_text(ctl, parameters, "name", args->rest[i]);
		if (r == CTL_DONE)
			r = agent_call(ctl, "Health", parameters, take_rows, health);
		else
			json_decref(parameters);
	}
	return r;
}

static int show(struct ctl *ctl, const struct arguments *args)
{
	struct health health = { .rows = json_array() };
	int r = ask(ctl, args, &health);

	if (r == CTL_DONE) {
		sort(&health);
		print(ctl, &health, args->n_rest > 0);
		r = health.unusable ? CTL_NO : CTL_DONE;
	}
	json_decref(health.rows);
	return r;
}

struct watching {
	struct ctl *ctl;
	const struct arguments *args;
};

static bool is_wanted(const struct arguments *args, const json_t *event)
{
	const char *name = event_field(event, "name");

	for (size_t i = 0; i < args->n_rest; i++)
		if (strcmp(args->rest[i], name) == 0)
			return true;
	return args->n_rest == 0;
}

/* The table when events are known to come from now on, and again when too many came at once. */
static void watch_event(void *context, json_t *event)
{
	static const char *const ours[] = { "binding.unusable", "binding.usable",
					    "uplink.unusable", "uplink.usable",
					    "binding.suspended", "binding.resumed",
					    "binding.draining", "binding.kept",
					    "binding.removed" };
	const struct watching *watching = context;
	const char *what = reply_text(event, "event");

	if (strcmp(what, "monitor.started") == 0 || strcmp(what, "binding.more") == 0 ||
	    reply_number(event, "dropped") > 0)
		(void)show(watching->ctl, watching->args);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (strcmp(what, ours[i]) == 0 && is_wanted(watching->args, event))
			event_print(watching->ctl, event);
	(void)fflush(watching->ctl->out);
}

static int health_run(struct ctl *ctl, const struct arguments *args)
{
	struct watching watching = { ctl, args };

	if (!args->value[OPTION_WATCH])
		return show(ctl, args);
	return event_follow(ctl, watch_event, &watching);
}

const struct verb health_verb = {
	.name = "health",
	.synopsis = "[NAME...]",
	.summary = "what can be used, why not, and since when",
	.text = "Every binding, group and uplink by family, what is unusable first. The exit status is 1\n"
		"if something is unusable and nobody stands in for it: a suspended binding is not.\n",
	.options = options,
	.least = 0,
	.most = 1000,
	.complete = COMPLETE_BINDING,
	.run = health_run,
};
