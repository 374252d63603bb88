/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See identity.h: running the checks, and what came out. Rows with a problem stand first. */
#include "identity.h"

#include "answer.h"
#include "duration.h"
#include "base/mem.h"
#include "table.h"

#include <string.h>

enum { BAR_MOST = 40, BAR_EVERY_MS = 100, WHAT_TEXT = IDENTITY_CHECKS * (IDENTITY_TEXT + 2) };

struct waiting {				/* somebody looks on */
	struct ctl *ctl;
	struct identity_rows *rows;
	int64_t shown_ms;
};

void identity_rows_drop(struct identity_rows *rows)
{
	for (size_t i = 0; rows->at && i < rows->list->subjects.n; i++) {
		for (int k = 0; k < IDENTITY_CHECKS; k++)
			free(rows->at[i].text[k]);
		free(rows->at[i].name);
	}
	free(rows->at);
	*rows = (struct identity_rows){ 0 };
}

static char *text_or_null(const char *text)
{
	return *text ? mem_copy(text) : NULL;
}

enum identity_state identity_row_worst(const struct identity_row *row)
{
	enum identity_state worst = IDENTITY_UNASKED;

	for (int i = 0; i < IDENTITY_CHECKS; i++)
		worst = row->state[i] > worst ? row->state[i] : worst;
	return worst;
}

static void on_done(void *context, size_t subject, const struct identity_result *result)
{
	struct waiting *waiting = context;
	struct identity_rows *rows = waiting->rows;
	struct identity_row *row = &rows->at[subject];
	enum identity_state worst;

	for (int i = 0; i < IDENTITY_CHECKS; i++) {
		row->state[i] = result->state[i];
		row->text[i] = text_or_null(result->text[i]);
	}
	row->name = text_or_null(result->name);
	worst = identity_row_worst(row);
	rows->n_bad += worst == IDENTITY_BAD;
	rows->n_unknown += worst == IDENTITY_UNKNOWN;
	rows->n_good += worst == IDENTITY_GOOD;
}

static void on_progress(void *context, size_t n_done)
{
	static const char full[] = "########################################";
	static const char empty[] = "........................................";
	struct waiting *waiting = context;
	size_t all = waiting->rows->list->subjects.n;
	unsigned width = waiting->ctl->width;
	int room = width > 50 ? (int)(width - 40 < BAR_MOST ? width - 40 : BAR_MOST) : 10;
	int done = (int)(n_done * (size_t)room / all);
	int64_t now = (int64_t)(duration_clock() / 1000);

	if (now - waiting->shown_ms < BAR_EVERY_MS && n_done < all)
		return;
	waiting->shown_ms = now;
	(void)fprintf(waiting->ctl->err, "\r\033[K[%.*s%.*s] %zu of %zu addresses", done, full,
		      room - done, empty, n_done, all);
	(void)fflush(waiting->ctl->err);
}

int identity_rows_run(struct ctl *ctl, const struct identity_list *list, double seconds,
		      struct identity_rows *ret)
{
	struct identity_subject *AUTO(mem_drop) subjects = mem_zero(list->subjects.n,
								    sizeof *subjects);
	struct waiting waiting = { .ctl = ctl, .rows = ret };
	struct dns_run run = { .how = { .server = list->resolver, .port = list->port,
					.timeout_ms = 2000, .tries = 2, .first_word = true },
			       .seconds = seconds, .blocklists = list->blocklists.at,
			       .n_blocklists = list->blocklists.n, .subjects = subjects,
			       .n_subjects = list->subjects.n, .done = on_done,
			       .progress = ctl->progress ? on_progress : NULL,
			       .context = &waiting };
	int r;

	*ret = (struct identity_rows){ .list = list };
	ret->at = mem_zero(list->subjects.n, sizeof *ret->at);
	for (size_t i = 0; i < list->subjects.n; i++) {
		subjects[i] = list->subjects.at[i];
		if (subjects[i].n_domains > 0)
			continue;
		subjects[i].domains = list->domains.at;
		subjects[i].n_domains = list->domains.n;
	}
	r = dns_run(&run, &ret->summary);
	if (ctl->progress)
		(void)fputs("\r\033[K", ctl->err);
	if (r == 0)
		return CTL_DONE;
	ctl_complain(ctl, "DNS cannot be asked: %s", strerror(-r));
	return CTL_REFUSED;
}

/* As text of JSON, whatever octets DNS gave. */
static json_t *harmless(const char *text)
{
	AUTO(mem_drop) char *clean = text ? table_harmless(text) : NULL;
	json_t *json = clean ? json_string(clean) : json_null();

	return json ? json : json_string("not UTF-8");
}

json_t *identity_row_json(const struct identity_subject *subject, const struct identity_row *row)
{
	json_t *json = json_object();
	char ip[IP_TEXT];

	(void)json_object_set_new(json, "binding", json_string(subject->binding));
	(void)json_object_set_new(json, "address", json_string(ip_print(&subject->ip, ip)));
	(void)json_object_set_new(json, "name", harmless(row->name));
	for (int i = 0; i < IDENTITY_CHECKS; i++) {
		const char *state = identity_state_name(row->state[i]);

		(void)json_object_set_new(json, identity_check_name((enum identity_check)i),
					  json_pack("{s:s, s:o}", "state", state, "text",
						    harmless(row->text[i])));
	}
	return json;
}

static void print_json(const struct ctl *ctl, const struct identity_rows *rows)
{
	const struct dns_summary *summary = &rows->summary;
	json_t *results = json_array(), *all;

	for (size_t i = 0; i < rows->list->subjects.n; i++)
		(void)json_array_append_new(
			results, identity_row_json(&rows->list->subjects.at[i], &rows->at[i]));
	all = json_pack("{s:s, s:s?, s:o, s:{s:I, s:I, s:I}, s:I, s:I, s:f}", "resolver",
			summary->servers, "problem", *summary->problem ? summary->problem : NULL,
			"results", results, "counts", "good", (json_int_t)rows->n_good, "unknown",
			(json_int_t)rows->n_unknown, "bad", (json_int_t)rows->n_bad, "skipped",
			(json_int_t)rows->list->skipped, "questions",
			(json_int_t)summary->questions, "seconds", summary->took);
	answer_json(ctl, all);
	json_decref(all);
}

static const struct column columns[] = {
	{ "BINDING", ALIGN_LEFT }, { "ADDRESS", ALIGN_LEFT }, { "FCRDNS", ALIGN_LEFT },
	{ "EHLO", ALIGN_LEFT }, { "GENERIC", ALIGN_LEFT }, { "SPF", ALIGN_LEFT },
	{ "BLOCKLIST", ALIGN_LEFT }, { "WHAT", ALIGN_LEFT },
};

void identity_row_add_state(struct table *table, enum identity_state state)
{
	static const enum tint tints[] = { TINT_DIM, TINT_GOOD, TINT_DIM, TINT_BAD };

	table_add(table, state == IDENTITY_UNASKED ? "-" : identity_state_name(state),
		  tints[state]);
}

static void add_row(struct table *table, const struct identity_subject *subject,
		    const struct identity_row *row)
{
	char what[WHAT_TEXT] = "", ip[IP_TEXT];
	size_t used = 0;

	table_add(table, subject->binding, TINT_PLAIN);
	table_add(table, ip_print(&subject->ip, ip), TINT_PLAIN);
	for (int i = 0; i < IDENTITY_CHECKS; i++) {
		identity_row_add_state(table, row->state[i]);
		if (row->text[i])
			used += (size_t)snprintf(what + used, sizeof what - used, "%s%s",
						 used ? "; " : "", row->text[i]);
	}
	table_add(table, what, TINT_PLAIN);
}

static void print_sum(const struct ctl *ctl, const struct identity_rows *rows)
{
	const struct dns_summary *summary = &rows->summary;

	(void)fprintf(ctl->out,
		      "%zu addresses: %zu good, %zu bad, %zu unknown; %zu questions to %s in %.1f s\n",
		      rows->list->subjects.n, rows->n_good, rows->n_bad, rows->n_unknown,
		      summary->questions, summary->servers, summary->took);
	if (rows->list->skipped > 0)
		(void)fprintf(ctl->out, "%zu routed prefixes have more than %d addresses and were "
			      "left out\n", rows->list->skipped, IDENTITY_EXPAND);
}

void identity_rows_print(const struct ctl *ctl, const struct identity_rows *rows)
{
	static const enum identity_state order[] = { IDENTITY_BAD, IDENTITY_UNKNOWN, IDENTITY_GOOD,
						     IDENTITY_UNASKED };
	struct table table = { .columns = columns, .n_columns = ARRAY_LEN(columns) };

	if (ctl->json) {
		print_json(ctl, rows);
		return;
	}
	for (size_t k = 0; k < ARRAY_LEN(order); k++)
		for (size_t i = 0; i < rows->list->subjects.n; i++)
			if (identity_row_worst(&rows->at[i]) == order[k])
				add_row(&table, &rows->list->subjects.at[i], &rows->at[i]);
	if (rows->list->subjects.n > 0)
		table_print(&table, ctl->out, ctl->width, ctl->color);
	print_sum(ctl, rows);
	table_drop(&table);
	if (*rows->summary.problem)
		ctl_complain(ctl, "%s", rows->summary.problem);
}
