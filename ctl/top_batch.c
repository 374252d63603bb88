/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See top_batch.h. */
#include "top_batch.h"

#include "agent.h"
#include "duration.h"
#include "reply.h"
#include "table.h"

#include <string.h>
#include <time.h>

enum { SECOND_NSEC = 1000000000, TEXT = 80 };

static const struct column columns[] = {
	{ "NAME", ALIGN_LEFT }, { "KIND", ALIGN_LEFT }, { "CONNS", ALIGN_RIGHT },
	{ "NEW/s", ALIGN_RIGHT }, { "BYTES/s", ALIGN_RIGHT }, { "REF/s", ALIGN_RIGHT },
	{ "HEALTH", ALIGN_LEFT }, { "PORTS", ALIGN_RIGHT },
};

static enum tint tint_of(const char *state)
{
	if (strcmp(state, "usable") == 0)
		return TINT_GOOD;
	return strcmp(state, "suspended") == 0 ? TINT_DIM : TINT_BAD;
}

static void add_row(struct table *table, const struct top_row *row)
{
	char text[TOP_NUMBER];

	table_add(table, row->name, TINT_PLAIN);
	table_add(table, row->group ? "group" : "binding", TINT_PLAIN);
	table_add(table, top_number(row->connections, text), TINT_PLAIN);
	table_add(table, top_number(row->fresh, text), TINT_PLAIN);
	table_add(table, top_bytes(row->bytes, text), TINT_PLAIN);
	table_add(table, top_number(row->refused, text), TINT_PLAIN);
	table_add(table, row->state, tint_of(row->state));
	table_add(table, top_percent(row->ports, row->ports_of, text), TINT_PLAIN);
}

static void print_text(const struct ctl *ctl, const struct top_model *model, const char *time)
{
	struct table table = { .columns = columns, .n_columns = ARRAY_LEN(columns) };
	char a[TOP_NUMBER], b[TOP_NUMBER], c[TOP_NUMBER], d[TOP_NUMBER];
	char *AUTO(mem_drop) when = table_harmless(time);
	double refused = -1;

	for (size_t i = 0; i < TOP_REASONS; i++)
		if (model->refused[i] >= 0)
			refused = (refused < 0 ? 0 : refused) + model->refused[i];
	(void)fprintf(ctl->out,
		      "%s  %zu bindings and groups, connections %s, new/s %s, bytes/s %s, refused/s %s\n",
		      when, model->things, top_number(model->connections, a),
		      top_number(model->fresh, b), top_bytes(model->bytes, c),
		      top_number(refused, d));
	for (size_t i = 0; i < model->rows.n; i++)
		add_row(&table, &model->rows.at[i]);
	table_print(&table, ctl->out, ctl->width, ctl->color);
	table_drop(&table);
	if (model->rows.n < model->matching)
		(void)fprintf(ctl->out, "and %zu more\n", model->matching - model->rows.n);
}

static void print(const struct ctl *ctl, const struct top_model *model, const json_t *reply)
{
	if (ctl->json) {
		(void)json_dumpf(reply, ctl->out, JSON_REAL_PRECISION(6));
		(void)fputc('\n', ctl->out);
	} else {
		print_text(ctl, model, reply_text(reply, "time"));
	}
	(void)fflush(ctl->out);
}

static void pause_for(double seconds)
{
	struct timespec rest = { .tv_sec = (time_t)seconds };

	rest.tv_nsec = (long)((seconds - (double)rest.tv_sec) * SECOND_NSEC);
	while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
		;
}

int top_batch(struct ctl *ctl, const struct top_query *query, double interval, unsigned long n)
{
	AUTO(top_model_drop) struct top_model model = { 0 };
	int r = CTL_DONE;

	for (unsigned long i = 0; r == CTL_DONE && (n == 0 || i <= n); i++) {
		AUTO(json_drop) json_t *reply = NULL;

		if (i > 0)
			pause_for(interval);
		r = agent_ask(ctl, "RankBindings", top_feed_parameters(query), &reply);
		if (r != CTL_DONE)
			break;
		top_model_take(&model, reply, query->first, duration_clock(), i);
		if (i > 0)
			print(ctl, &model, reply);
		if (ferror(ctl->out))
			break;
	}
	return r;
}
