/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RankBindings: some of all bindings and groups, in an order, with what they do now. */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/flow_json.h"
#include "daemon/ranking.h"
#include "daemon/survey.h"
#include "plan/plan_reason.h"

#include <string.h>

enum { SHOWN_DEFAULT = 50 };

struct rank_stream {
	struct stream stream;
	struct rank_query query;
	char *filter;				/* query.filter */
	uint64_t serial;			/* of the census that is waited for; 0: none is */
	uint64_t until;				/* usec: it is not waited for longer */
};

enum { WAIT_USEC = 5 * 1000 * 1000 };		/* then the census before has to do */

static void free_rank(struct stream *stream)
{
	struct rank_stream *rank = (struct rank_stream *)stream;

	free(rank->filter);
	free(rank);
}

static const char *const states[] = {
	[RANK_UNUSABLE] = "unusable", [RANK_PARTLY] = "partly", [RANK_STAND_IN] = "stand-in",
	[RANK_SUSPENDED] = "suspended", [RANK_USABLE] = "usable",
};

static json_t *json_rate(double rate)
{
	return rate < 0 ? json_null() : json_real(rate);
}

static json_t *json_rates(const float rate[static RANK_COUNTS])
{
	return json_pack("{s:o, s:o, s:o, s:o}", "new", json_rate((double)rate[RANK_BEGUN]),
			 "sent", json_rate((double)rate[RANK_SENT]), "received",
			 json_rate((double)rate[RANK_RECEIVED]), "refused",
			 json_rate((double)rate[RANK_REFUSED]));
}

static json_t *json_ports(const struct agent *agent, const struct rank_row *row)
{
	const struct census_pool *pool = ranking_pool(agent, row);
	char to[IP_TEXT], source[IP_TEXT], protocol[8];

	if (row->ports_of == 0)
		return json_null();
	if (!pool)
		return json_pack("{s:I, s:I, s:n, s:n, s:n, s:n}", "used", (json_int_t)row->ports,
				 "of", (json_int_t)row->ports_of, "source", "to", "to_port",
				 "protocol");
	return json_pack("{s:I, s:I, s:s, s:s, s:I, s:s}", "used", (json_int_t)row->ports, "of",
			 (json_int_t)row->ports_of, "source", ip_print(&pool->source, source), "to",
			 ip_print(&pool->to, to), "to_port", (json_int_t)pool->to_port, "protocol",
			 flow_protocol(pool->protocol, protocol));
}

/* Of the family that is worse off. */
static json_t *json_reason(const struct agent *agent, const struct rank_row *row)
{
	const struct plan *plan = &agent->now->plan;
	char reason[PLAN_REASON];

	if (row->state == RANK_USABLE || row->state == RANK_SUSPENDED)
		return json_string(states[row->state]);
	for (int f = 0; f < FAMILIES; f++) {
		enum usable_reason why = plan->usability[row->binding].reason[f];

		if (why == USABLE || why == UNUSABLE_NO_ADDRESS ||
		    (why == USABLE_BY_OTHER && row->state != RANK_STAND_IN))
			continue;
		plan_reason_say(&agent->now->model, &agent->facts, plan, row->binding,
				(enum family)f, reason);
		return method_json(reason);
	}
	return json_string("no address");
}

static json_t *json_row(const struct agent *agent, const struct rank_row *row)
{
	return json_pack("{s:o, s:s, s:s, s:o, s:I, s:o, s:o}", "name", method_json(row->name),
			 "kind", row->group ? "group" : "binding", "state", states[row->state],
			 "reason", json_reason(agent, row), "connections", (json_int_t)row->live,
			 "rates", json_rates(row->rate), "ports", json_ports(agent, row));
}

static json_t *json_totals(const struct ranking *look)
{
	float rate[RANK_COUNTS];

	for (int k = 0; k < RANK_COUNTS; k++)
		rate[k] = (float)look->rate[k];
	return json_pack("{s:I, s:o, s:I, s:I, s:I, s:I, s:I}", "connections",
			 (json_int_t)look->live, "rates", json_rates(rate), "usable",
			 (json_int_t)look->n_state[RANK_USABLE], "stand_in",
			 (json_int_t)look->n_state[RANK_STAND_IN], "partly",
			 (json_int_t)look->n_state[RANK_PARTLY], "unusable",
			 (json_int_t)look->n_state[RANK_UNUSABLE], "suspended",
			 (json_int_t)look->n_state[RANK_SUSPENDED]);
}

static json_t *json_answer(struct agent *agent, const struct rank_query *query)
{
	const struct ranking *look = ranking_look(agent);
	const struct rank_row **AUTO(mem_drop) rows = mem_zero(query->first + query->n,
							       sizeof *rows);
	size_t matching, n = rank_select(&look->rows, query, rows, &matching);
	json_t *list = json_array();
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = query->first; i < n; i++)
		json_array_append_new(list, json_row(agent, rows[i]));
	return json_pack("{s:o, s:I, s:I, s:o, s:o, s:o, s:o}", "time", method_json_time(&now),
			 "things", (json_int_t)look->rows.n, "matching", (json_int_t)matching,
			 "rows", list, "totals", json_totals(look), "counters",
			 method_json_counters(agent), "census", method_json_census(agent));
}

static void next_rank(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct rank_stream *rank = (struct rank_stream *)stream;
	const struct census *census = survey_census(agent);

	ret->waits = rank->serial > 0 && (!census || census->serial < rank->serial) &&
		     survey_is_counting(agent) && agent_clock() < rank->until;
	if (!ret->waits)
		ret->parameters = json_answer(agent, &rank->query);
}

/* False with the call answered. */
static bool read_query(struct call *call, struct rank_query *query)
{
	const char *sort = method_text(call, "sort");
	json_int_t first = 0, limit = SHOWN_DEFAULT;

	*query = (struct rank_query){ .key = RANK_BY_CONNECTIONS,
				      .reverse = method_true(call, "reverse") };
	if (sort)
		query->key = rank_word(sort);
	if (query->key == RANK_KEYS) {
		method_fail_parameter(call, "sort");
		return false;
	}
	if (!method_number_within(call, "first", 0, RANK_SHOWN_MAX, &first) ||
	    !method_number_within(call, "limit", 1, RANK_SHOWN_MAX, &limit))
		return false;
	query->first = (size_t)first;
	query->n = (size_t)limit;
	if (query->first + query->n > RANK_SHOWN_MAX) {
		method_fail_parameter(call, "first");
		return false;
	}
	return true;
}

void method_rank_bindings(struct call *call)
{
	const char *filter = method_text(call, "filter");
	struct rank_stream *rank;
	struct rank_query query;

	if (!read_query(call, &query))
		return;
	rank = mem_zero(1, sizeof *rank);
	rank->stream = (struct stream){ .next = next_rank, .free = free_rank };
	rank->query = query;
	if (filter)
		rank->query.filter = rank->filter = mem_copy(filter);
	rank->serial = ranking_ask(call->agent);
	rank->until = agent_clock() + WAIT_USEC;
	method_stream(call, &rank->stream);
}
