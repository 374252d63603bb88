/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See top_model.h. */
#include "top_model.h"

#include "base/mem.h"
#include "reply.h"

#include <string.h>

const char *const top_columns[TOP_COLUMNS] = {
	[TOP_NAME] = "name", [TOP_CONNECTIONS] = "connections", [TOP_NEW] = "new",
	[TOP_BYTES] = "bytes", [TOP_REFUSED] = "refused", [TOP_HEALTH] = "health",
	[TOP_PORTS] = "ports",
};

const char *const top_reasons[TOP_REASONS] = { "rule",	"unusable", "reused", "limit",
					       "stray", "guard",    "uplink" };

/* The same in Counters; what a reason's packets end as differs. */
static const char *const counters[TOP_REASONS] = {
	"refused_rule", "refused_unusable", "refused_reused", "refused_limit",
	"dropped_stray", "dropped_guard", "dropped_uplink",
};

enum top_column top_column(const char *word)
{
	for (unsigned i = 0; i < TOP_COLUMNS; i++)
		if (strcmp(top_columns[i], word) == 0)
			return (enum top_column)i;
	return TOP_COLUMNS;
}

/* A number that cannot be one of these is not known. */
static double number(const json_t *object, const char *key)
{
	const json_t *value = reply_member(object, key);
	double n = json_is_number(value) ? json_number_value(value) : -1;

	return n >= 0 && n < 1e18 ? n : -1;
}

static double count(const json_t *object, const char *key)
{
	double n = number(object, key);

	return n > 0 ? n : 0;
}

static char *copy(const json_t *object, const char *key)
{
	const char *text = reply_text(object, key);

	return mem_copy(text);
}

/* Bytes both ways. */
static double bytes_of(const json_t *rates)
{
	double sent = number(rates, "sent"), received = number(rates, "received");

	if (sent < 0 && received < 0)
		return -1;
	return (sent > 0 ? sent : 0) + (received > 0 ? received : 0);
}

static void drop_rows(struct top_model *model)
{
	for (size_t i = 0; i < model->rows.n; i++) {
		free(model->rows.at[i].name);
		free(model->rows.at[i].state);
		free(model->rows.at[i].reason);
	}
	model->rows.n = 0;
}

static void take_rows(struct top_model *model, const json_t *list)
{
	drop_rows(model);
	for (size_t i = 0; i < json_array_size(list) && i < TOP_REACH; i++) {
		const json_t *row = json_array_get(list, i), *rates = reply_member(row, "rates");
		const json_t *ports = reply_member(row, "ports");

		PUSH(&model->rows, ((struct top_row){
			.name = copy(row, "name"), .state = copy(row, "state"),
			.reason = copy(row, "reason"),
			.group = strcmp(reply_text(row, "kind"), "group") == 0,
			.connections = count(row, "connections"), .fresh = number(rates, "new"),
			.bytes = bytes_of(rates), .refused = number(rates, "refused"),
			.ports = count(ports, "used"), .ports_of = count(ports, "of") }));
	}
}

static void take_totals(struct top_model *model, const json_t *reply)
{
	const json_t *totals = reply_member(reply, "totals"),
		     *census = reply_member(reply, "census");
	const json_t *rates = reply_member(totals, "rates");

	model->things = (size_t)count(reply, "things");
	model->matching = (size_t)count(reply, "matching");
	model->connections = count(totals, "connections");
	model->fresh = number(rates, "new");
	model->bytes = bytes_of(rates);
	model->usable = count(totals, "usable");
	model->stand_in = count(totals, "stand_in");
	model->partly = count(totals, "partly");
	model->unusable = count(totals, "unusable");
	model->suspended = count(totals, "suspended");
	model->entries = count(census, "entries");
	model->census_age_ms = count(census, "age_ms");
}

/* A counter that is below what it was began anew. Two looks within a moment tell no rate. */
static void take_refused(struct top_model *model, const json_t *reply, uint64_t usec)
{
	const json_t *object = reply_member(reply, "counters");
	double seconds = model->usec ? (double)(usec - model->usec) / 1e6 : 0;

	for (size_t i = 0; i < TOP_REASONS; i++) {
		double now = number(object, counters[i]), before = model->counted[i];

		model->refused[i] = -1;
		if (now >= 0 && before >= 0 && seconds > 0)
			model->refused[i] = (now >= before ? now - before : now) / seconds;
		model->counted[i] = now;
	}
}

static uint32_t hash_name(const char *name)
{
	return index_hash(name, strlen(name));
}

static struct top_history *find_history(const struct top_model *model, const char *name)
{
	uint32_t at, hash = hash_name(name);

	for (size_t step = 0; (at = index_next(&model->by_name, hash, &step)) != UINT32_MAX;)
		if (strcmp(model->histories.at[at].name, name) == 0)
			return &model->histories.at[at];
	return NULL;
}

static int latest_first(const void *left, const void *right)
{
	const struct top_history *a = left, *b = right;

	return a->tick > b->tick ? -1 : a->tick < b->tick;
}

static void forget_half(struct top_model *model)
{
	size_t keep = TOP_HISTORIES / 2;

	qsort(model->histories.at, model->histories.n, sizeof *model->histories.at, latest_first);
	while (model->histories.n > keep)
		free(model->histories.at[--model->histories.n].name);
	index_drop(&model->by_name);
	for (uint32_t i = 0; i < keep; i++)
		index_add(&model->by_name, hash_name(model->histories.at[i].name), i);
}

static struct top_history *take_history(struct top_model *model, const char *name)
{
	struct top_history *history = find_history(model, name);

	if (history)
		return history;
	if (model->histories.n >= TOP_HISTORIES)
		forget_half(model);
	index_add(&model->by_name, hash_name(name), (uint32_t)model->histories.n);
	PUSH(&model->histories, ((struct top_history){ .name = mem_copy(name) }));
	history = &model->histories.at[model->histories.n - 1];
	for (size_t i = 0; i < TOP_HISTORY; i++)
		for (int m = 0; m < TOP_MEASURES; m++)
			history->at[m][i] = -1;
	return history;
}

/* Ticks without a value have none. */
static void note_history(struct top_history *history, const struct top_row *row, uint64_t tick)
{
	const double values[TOP_MEASURES] = {
		[TOP_HISTORY_CONNECTIONS] = row->connections, [TOP_HISTORY_NEW] = row->fresh,
		[TOP_HISTORY_BYTES] = row->bytes, [TOP_HISTORY_REFUSED] = row->refused,
	};
	uint64_t missed = tick > history->tick ? tick - history->tick : 0;

	for (uint64_t i = 1; i <= missed && i <= TOP_HISTORY; i++)
		for (int m = 0; m < TOP_MEASURES; m++)
			history->at[m][(tick - missed + i) % TOP_HISTORY] = -1;
	for (int m = 0; m < TOP_MEASURES; m++)
		history->at[m][tick % TOP_HISTORY] = (float)values[m];
	history->tick = tick;
}

void top_model_take(struct top_model *model, const json_t *reply, size_t first, uint64_t usec,
		    uint64_t tick)
{
	model->first = first;
	take_rows(model, reply_member(reply, "rows"));
	take_totals(model, reply);
	take_refused(model, reply, usec);
	model->usec = usec;
	model->tick = tick;
	for (size_t i = 0; i < model->rows.n; i++)
		note_history(take_history(model, model->rows.at[i].name), &model->rows.at[i], tick);
}

void top_model_history(const struct top_model *model, const char *name, enum top_measure measure,
		       float ret[static TOP_HISTORY])
{
	const struct top_history *history = find_history(model, name);

	for (uint64_t i = 0; i < TOP_HISTORY; i++) {
		uint64_t ago = TOP_HISTORY - 1 - i;
		bool kept = history && ago <= model->tick && model->tick - ago <= history->tick &&
			    history->tick - (model->tick - ago) < TOP_HISTORY;

		ret[i] = kept ? history->at[measure][(model->tick - ago) % TOP_HISTORY] : -1;
	}
}

const struct top_row *top_model_row(const struct top_model *model, size_t at)
{
	return at >= model->first && at - model->first < model->rows.n
		       ? &model->rows.at[at - model->first]
		       : NULL;
}

size_t top_model_find(const struct top_model *model, const char *name)
{
	for (size_t i = 0; i < model->rows.n; i++)
		if (strcmp(model->rows.at[i].name, name) == 0)
			return model->first + i;
	return SIZE_MAX;
}

void top_model_drop(struct top_model *model)
{
	drop_rows(model);
	free(model->rows.at);
	for (size_t i = 0; i < model->histories.n; i++)
		free(model->histories.at[i].name);
	free(model->histories.at);
	index_drop(&model->by_name);
	*model = (struct top_model){ 0 };
}
