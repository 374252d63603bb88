/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capacity: a census is asked for, waited for, and the busiest destinations of each binding are taken
 * from it. Rows are made once and kept for the pieces, since the next census may replace this one.
 */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/capacity.h"
#include "daemon/flow_json.h"
#include "daemon/sources.h"
#include "daemon/survey.h"

#include <math.h>

enum { CHUNK_ROWS = 64, TOP = 5, TOP_MAX = 1000, RECOUNTS = 32 };

struct capacity_stream {
	struct stream stream;
	uint64_t serial;			/* of the census that is waited for */
	uint32_t mark;				/* 0: of all bindings */
	size_t top;				/* rows of a binding */
	bool made;
	struct { struct port_use *at; size_t n, room; } rows;
	size_t sent;
	struct net_settings settings;
};

static void free_capacity(struct stream *stream)
{
	struct capacity_stream *capacity = (struct capacity_stream *)stream;

	free(capacity->rows.at);
	free(capacity);
}

static int by_mark(const void *left, const void *right)
{
	const struct port_use *a = left, *b = right;

	return a->mark != b->mark ? (a->mark < b->mark ? -1 : 1) : capacity_compare(a, b);
}

static int by_share(const void *left, const void *right)
{
	return capacity_compare(left, right);
}

/* The @top first ones of each mark stay, then the fullest come first. */
static void keep_top(struct capacity_stream *capacity)
{
	size_t n = 0, of_mark = 0;

	if (capacity->rows.n == 0)
		return;
	qsort(capacity->rows.at, capacity->rows.n, sizeof *capacity->rows.at, by_mark);
	for (size_t i = 0; i < capacity->rows.n; i++) {
		of_mark = i > 0 && capacity->rows.at[i].mark == capacity->rows.at[i - 1].mark
				  ? of_mark + 1
				  : 0;
		if (of_mark < capacity->top)
			capacity->rows.at[n++] = capacity->rows.at[i];
	}
	capacity->rows.n = n;
}

static void make_rows(struct capacity_stream *capacity, struct agent *agent)
{
	const struct census *now = survey_census(agent), *before = survey_census_before(agent);
	struct port_supply supply = { .settings = &capacity->settings, .facts = &agent->facts,
				      .warning = agent->now->model.port_warning };
	unsigned recounts = RECOUNTS;

	for (size_t i = 0; i < now->uses.n; i++) {
		const struct census_use *use = &now->uses.at[i];

		if (use->mark && (!capacity->mark || use->mark == capacity->mark))
			PUSH(&capacity->rows, capacity_judge(now, use, &supply));
	}
	keep_top(capacity);
	for (size_t i = 0; i < capacity->rows.n; i++) {
		struct port_use *use = &capacity->rows.at[i];

		if (use->help != HELP_NONE && recounts > 0 && capacity_recount(agent, use))
			recounts--;
		capacity_rate(use, now, before);
	}
	if (capacity->rows.n > 0)
		qsort(capacity->rows.at, capacity->rows.n, sizeof *capacity->rows.at, by_share);
}

static json_t *json_help(enum capacity_help help)
{
	static const char *const words[] = { [HELP_NONE] = NULL, [HELP_RANGE] = "range",
					     [HELP_BIND] = "bind", [HELP_ADDRESS] = "address" };

	return method_json(words[help]);
}

static json_t *json_finite(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *json_use(struct agent *agent, const struct port_use *use)
{
	const char *name = sources_name(agent, (struct fwmark){ use->mark });
	char source[IP_TEXT], to[IP_TEXT], protocol[8];

	return json_pack("{s:o, s:s, s:s, s:i, s:s, s:b, s:I, s:I, s:I, s:o, s:o, s:o}",
			 "binding", method_json(name), "source", ip_print(&use->pool.source, source),
			 "to", ip_print(&use->pool.to, to), "to_port", use->pool.to_port,
			 "protocol", flow_protocol(use->pool.protocol, protocol),
			 "outside", use->pool.outside, "mine", (json_int_t)use->mine,
			 "taken", (json_int_t)use->taken, "available", (json_int_t)use->available,
			 "per_second", json_finite(use->per_second), "exhausted_in",
			 json_finite(use->exhausted_in), "help", json_help(use->help));
}

static void next_capacity(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct capacity_stream *capacity = (struct capacity_stream *)stream;
	const struct census *now = survey_census(agent);
	json_t *list;

	if (!capacity->made && (!now || now->serial < capacity->serial)) {
		ret->waits = survey_is_counting(agent);
		if (!ret->waits)		/* the log says why */
			answer_refuse(ret, "conntrack could not be read");
		return;
	}
	if (!capacity->made)
		make_rows(capacity, agent);
	capacity->made = true;
	list = json_array();
	for (int i = 0; i < CHUNK_ROWS && capacity->sent < capacity->rows.n; i++)
		json_array_append_new(list,
				      json_use(agent, &capacity->rows.at[capacity->sent++]));
	ret->continues = capacity->sent < capacity->rows.n;
	ret->parameters = json_pack("{s:o, s:i, s:i, s:I, s:i}", "uses", list, "first_port",
				    capacity->settings.ports.first, "last_port",
				    capacity->settings.ports.last, "ports",
				    (json_int_t)capacity->settings.n_ports, "warning",
				    agent->now->model.port_warning);
}

void method_capacity(struct call *call)
{
	struct capacity_stream *capacity;
	struct agent *agent = call->agent;
	const char *name = method_text(call, "binding");
	json_int_t top = TOP;
	uint32_t binding = NO_INDEX;
	uint64_t serial;
	int r;

	if (!method_number_within(call, "top", 1, TOP_MAX, &top))
		return;
	if (name && method_binding(call, name, &binding) < 0)
		return;
	capacity = mem_zero(1, sizeof *capacity);
	r = agent->kernel->read_settings(agent->kernel, &capacity->settings);
	serial = r < 0 ? 0 : survey_ask_census(agent);
	if (serial == 0) {
		free(capacity);
		answer_refuse(&call->answer, "conntrack could not be read");
		return;
	}
	capacity->stream = (struct stream){ .next = next_capacity, .free = free_capacity,
					    .slow = true };
	capacity->serial = serial;
	capacity->top = (size_t)top;
	capacity->mark = binding == NO_INDEX ? 0 : agent->now->plan.marks[binding].host;
	method_stream(call, &capacity->stream);
}
