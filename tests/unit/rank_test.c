/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of rows, the first of very many, and rates from counters; and RankBindings as a call. */
#include "agent_lab.h"
#include "base/mem.h"
#include "daemon/control_call.h"
#include "daemon/rank.h"
#include "daemon/ranking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct rank_row row(const char *name, uint32_t live, float fresh, uint32_t ports,
			   enum rank_state state)
{
	return (struct rank_row){ .name = name,
				  .live = live,
				  .ports = ports,
				  .ports_of = ports ? 100 : 0,
				  .rate = { fresh, fresh, -1, -1 },
				  .state = (uint8_t)state };
}

static void test_order(void **state)
{
	static const struct {
		const char *what, *sort, *filter;
		bool reverse;
		size_t first, n;
		const char *want;
		size_t matching;
	} rows[] = {
		{ "by connections", "connections", NULL, false, 0, 9, "beta acme delta gamma", 4 },
		{ "reversed; equals stay by name", "connections", NULL, true, 0, 9, "gamma acme delta beta", 4 },
		{ "by name", "name", NULL, false, 0, 9, "acme beta delta gamma", 4 },
		{ "by name, reversed", "name", NULL, true, 0, 9, "gamma delta beta acme", 4 },
		{ "what is not known goes last", "new", NULL, false, 0, 9, "acme gamma beta delta", 4 },
		{ "the worst first", "health", NULL, false, 0, 9, "delta beta acme gamma", 4 },
		{ "ports", "ports", NULL, false, 0, 1, "gamma", 4 },
		{ "the first two", "connections", NULL, false, 0, 2, "beta acme", 4 },
		{ "the second and third", "connections", NULL, false, 1, 2, "acme delta", 4 },
		{ "beyond the end", "connections", NULL, false, 4, 2, "", 4 },
		{ "part of the name, in either case", "name", "ET", false, 0, 9, "beta", 1 },
		{ "nothing matches", "name", "zzz", false, 0, 9, "", 0 },
		{ "no filter", "name", "", false, 0, 1, "acme", 4 },
	};
	struct rank_row four[] = { row("gamma", 0, 5, 90, RANK_USABLE), row("acme", 3, 7, 0, RANK_USABLE),
				   row("delta", 3, -1, 10, RANK_UNUSABLE), row("beta", 9, 0, 20, RANK_SUSPENDED) };
	struct rank_rows all = { four, 4, 4 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rank_query query = { rank_word(rows[i].sort), rows[i].reverse,
					    rows[i].filter, rows[i].first, rows[i].n };
		const struct rank_row *found[16];
		size_t matching, n = rank_select(&all, &query, found, &matching);
		char got[200] = "";

		for (size_t k = query.first; k < n; k++)
			sprintf(got + strlen(got), "%s%s", *got ? " " : "", found[k]->name);
		if (strcmp(got, rows[i].want) != 0 || matching != rows[i].matching)
			fail_msg("%s: got \"%s\" of %zu, want \"%s\"", rows[i].what, got, matching, rows[i].want);
	}
	assert_int_equal(rank_word("size"), RANK_KEYS);
}

static int by_live(const void *left, const void *right)
{
	const struct rank_row *a = left, *b = right;

	return a->live != b->live ? (a->live < b->live ? 1 : -1) : strcmp(a->name, b->name);
}

/* Against sorting all. */
static void test_many(void **state)
{
	enum { N = 5000, SHOWN = 100 };
	struct rank_row *AUTO(mem_drop) rows = mem_zero(N, sizeof *rows);
	char (*AUTO(mem_drop) names)[8] = mem_zero(N, sizeof *names);
	struct rank_query query = { .key = RANK_BY_CONNECTIONS, .n = SHOWN };
	const struct rank_row *found[SHOWN];
	struct rank_rows all = { rows, N, N };
	size_t matching;
	uint32_t seed = 1;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		seed = seed * 1103515245 + 12345;
		snprintf(names[i], sizeof names[i], "b%05u", i);
		rows[i] = row(names[i], seed >> 16 & 0xff, 0, 0, RANK_USABLE);
	}
	assert_int_equal(rank_select(&all, &query, found, &matching), SHOWN);
	for (int i = 0; i < SHOWN; i++)
		rows[found[i] - rows].mark = (uint32_t)i + 1;
	qsort(rows, N, sizeof *rows, by_live);
	for (uint32_t i = 0; i < SHOWN; i++)
		assert_int_equal(rows[i].mark, i + 1);
}

static void test_rates(void **state)
{
	struct rank_row now[] = { { .mark = 1, .counted = { 30, 5 }, .known = { true, true } },
				  { .mark = 3, .counted = { 30 }, .known = { true } },
				  { .mark = 4, .counted = { 30 }, .known = { true } } };
	struct rank_row then[] = { { .mark = 1, .counted = { 10, 9 }, .known = { true, true } },
				   { .mark = 2, .counted = { 10 }, .known = { true } } };
	struct rank_rows rows = { now, 3, 3 }, before = { then, 2, 2 };

	(void)state;
	rank_rates(&rows, &before, 2000000);
	assert_true(now[0].rate[RANK_BEGUN] == 10);
	assert_true(now[0].rate[RANK_SENT] == 2.5F);	/* it began anew */
	assert_true(now[0].rate[RANK_REFUSED] < 0);	/* not counted */
	assert_true(now[1].rate[RANK_BEGUN] < 0);	/* another binding stood there */
	assert_true(now[2].rate[RANK_BEGUN] < 0);
	rank_rates(&rows, &before, 0);
	assert_true(now[0].rate[RANK_BEGUN] < 0);
	rank_rates(&rows, NULL, 1);
	assert_true(now[0].rate[RANK_BEGUN] < 0);
}

static json_t *call(struct lab *lab, const char *parameters)
{
	json_t *message = json_pack("{s:s, s:o}", "method", "org.outbind.RankBindings", "parameters",
				    json_loads(parameters, 0, NULL));
	struct reply reply = { 0 };

	assert_int_equal(control_call(&lab->agent, PEER_READ, message, &reply), 0);
	json_decref(message);
	assert_null(reply.stream);
	return reply.message;
}

#define CONF	"binding acme { address 192.0.2.1; }\n" \
		"binding beta { address 192.0.2.2, 2001:db8::2; unusable use acme; }\n" \
		"binding far { address 192.0.2.3; }\n" \
		"binding two { address 192.0.2.4, 2001:db8::3; }\n" \
		"group all { member acme; member far; }\n"

/* "name kind state reason;" of each row. */
static void test_call(void **state)
{
	struct lab *lab = *state;
	json_t *reply = call(lab, "{\"sort\":\"health\", \"limit\":9}");
	const json_t *answer = json_object_get(reply, "parameters");
	char got[1024] = "";

	for (size_t i = 0; i < json_array_size(json_object_get(answer, "rows")); i++) {
		const char *name, *kind, *health, *reason;

		assert_int_equal(json_unpack(json_array_get(json_object_get(answer, "rows"), i),
					     "{s:s, s:s, s:s, s:s}", "name", &name, "kind", &kind, "state",
					     &health, "reason", &reason), 0);
		sprintf(got + strlen(got), "%s %s %s %s;", name, kind, health, reason);
	}
	assert_string_equal(got, "far binding unusable 192.0.2.3 is not on this host;"
			    "beta binding partly 2001:db8::2 is not on this host;"
			    "two binding partly 2001:db8::3 is not on this host;"
			    "acme binding usable usable;all group usable usable;");
	assert_int_equal(json_integer_value(json_object_get(answer, "things")), 5);
	json_decref(reply);
}

static void test_refused(void **state)
{
	static const char *const wrong[] = { "{\"sort\":\"size\"}", "{\"limit\":0}", "{\"limit\":1001}",
					     "{\"first\":-1}", "{\"first\":1000}", "{\"filter\":1}" };
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		json_t *reply = call(lab, wrong[i]);

		assert_string_equal(json_string_value(json_object_get(reply, "error")),
				    "org.varlink.service.InvalidParameter");
		json_decref(reply);
	}
}

/* A look is kept for a moment, but never over a change; what nobody asks for goes. */
static void test_kept(void **state)
{
	struct lab *lab = *state;
	const struct ranking *look = ranking_look(&lab->agent);
	uint64_t when = look->when;

	assert_int_equal(ranking_look(&lab->agent)->when, when);
	assert_int_equal(lab_reload(lab, CONF "binding last { address 192.0.2.9; }\n"), 0);
	look = ranking_look(&lab->agent);
	assert_int_equal(look->rows.n, 6);
	ranking_rest(&lab->agent);
	assert_non_null(lab->agent.ranking);
	lab->agent.ranking->asked -= 61 * 1000000;
	ranking_rest(&lab->agent);
	assert_null(lab->agent.ranking);
}

static int setup(void **state)
{
	return lab_setup(state, "192.0.2.1 192.0.2.4", CONF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_rates),
		cmocka_unit_test_setup_teardown(test_call, setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_kept, setup, lab_teardown),
	};

	return cmocka_run_group_tests_name("rank", tests, NULL, NULL);
}
