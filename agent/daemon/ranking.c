/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ranking.h. Connections and ports are of the last census (survey.h), which is asked for but never
 * more often than leaves it a twentieth of a processor. A group has what its members have: a
 * connection carries its member's number, so a binding in two groups is counted in both.
 */
#include "daemon/ranking.h"

#include "base/mem.h"
#include "daemon/health.h"
#include "daemon/metering.h"
#include "daemon/sources.h"
#include "daemon/survey.h"
#include "plan/explain.h"

enum {
	LOOK_USEC = 500 * 1000,
	LOOK_SHARE = 20,			/* a look rests so many times what it took */
	REST_USEC = 60 * 1000 * 1000,
	CENSUS_SHARE = 20,			/* a census rests so many times what it took */
	CENSUS_FRESH_USEC = 900 * 1000,
};

static enum rank_state state_of(const struct agent *agent, uint32_t binding)
{
	bool usable = false, unusable = false, by_other = false;

	if (agent->now->plan.suspended[binding])
		return RANK_SUSPENDED;
	for (int f = 0; f < FAMILIES; f++) {
		enum health_state state = health_of(agent, binding, (enum family)f).state;

		usable |= state == HEALTH_USABLE || state == HEALTH_BY_OTHER;
		by_other |= state == HEALTH_BY_OTHER;
		unusable |= state == HEALTH_UNUSABLE;
	}
	if (!usable)
		return RANK_UNUSABLE;
	return unusable ? RANK_PARTLY : by_other ? RANK_STAND_IN : RANK_USABLE;
}

static void add_rows(const struct agent *agent, const struct census *census, struct ranking *look)
{
	const struct model *model = &agent->now->model;

	look->rows.at = mem_zero(model->bindings.n + 1, sizeof *look->rows.at);
	look->rows.room = model->bindings.n + 1;
	for (uint32_t i = 0; i < model->bindings.n; i++) {
		const struct binding *binding = &model->bindings.at[i];
		struct rank_row *row = &look->rows.at[i];
		const struct census_live *live;

		*row = (struct rank_row){ .name = binding->name ? binding->name : "",
					  .binding = i, .pool = UINT32_MAX,
					  .group = binding->group != NULL };
		if (!binding->name)
			continue;
		row->mark = agent->now->plan.marks[i].host;
		row->state = (uint8_t)state_of(agent, i);
		live = census ? census_of(census, agent->now->plan.marks[i]) : NULL;
		if (live)
			row->live = live->n[FAMILY_IPV4] + live->n[FAMILY_IPV6];
		look->live += row->live;
		look->n_state[row->state]++;
	}
	look->rows.n = model->bindings.n;
}

/* Is this use of a pool nearer to its end than what @row has so far. */
static void take_pool(struct rank_row *row, const struct census *census, uint32_t at, uint32_t of)
{
	uint32_t taken = census_taken(&census->pools.at[at]);

	if (of == 0 || (row->ports_of > 0 && (uint64_t)taken * row->ports_of <=
					     (uint64_t)row->ports * of))
		return;
	row->ports = taken;
	row->ports_of = of;
	row->pool = at;
}

/* A local sender takes a port of the kernel's range for the address that its socket has, whoever
 * sends takes one of SNAT's for the address that is seen outside. */
static void add_ports(struct agent *agent, const struct census *census, struct ranking *look)
{
	struct net_settings settings = { 0 };

	if (agent->kernel->read_settings(agent->kernel, &settings) < 0)
		settings.n_ports = 0;
	for (size_t i = 0; census && i < census->uses.n; i++) {
		const struct census_use *use = &census->uses.at[i];
		uint32_t binding = use->mark ? sources_binding(agent, (struct fwmark){ use->mark })
					     : NO_INDEX;
		struct rank_row *row = &look->rows.at[binding == NO_INDEX ? 0 : binding];

		if (binding == NO_INDEX)
			continue;
		take_pool(row, census, use->far, CENSUS_SNAT_PORTS);
		if (explain_to_local(&agent->facts, &census->pools.at[use->near].source))
			take_pool(row, census, use->near, settings.n_ports);
	}
}

static void add_member(struct rank_row *group, const struct rank_row *member)
{
	group->live += member->live;
	for (int k = 0; k < RANK_COUNTS; k++) {
		group->counted[k] += member->counted[k];
		group->known[k] |= member->known[k];
	}
	if (member->ports_of > 0 &&
	    (group->ports_of == 0 || (uint64_t)member->ports * group->ports_of >
					     (uint64_t)group->ports * member->ports_of)) {
		group->ports = member->ports;
		group->ports_of = member->ports_of;
		group->pool = member->pool;
	}
}

static void add_groups(const struct agent *agent, struct ranking *look)
{
	const struct model *model = &agent->now->model;

	for (uint32_t i = 0; i < model->bindings.n; i++) {
		const struct binding_group *group = model->bindings.at[i].group;

		for (uint32_t m = 0; group && model->bindings.at[i].name && m < group->n_members;
		     m++)
			add_member(&look->rows.at[i], &look->rows.at[group->members[m].binding]);
	}
}

static void sum_rates(struct ranking *look)
{
	for (int k = 0; k < RANK_COUNTS; k++)
		look->rate[k] = -1;
	for (size_t i = 0; i < look->rows.n; i++)
		for (int k = 0; k < RANK_COUNTS; k++) {
			const struct rank_row *row = &look->rows.at[i];

			if (row->group || row->rate[k] < 0)
				continue;
			look->rate[k] = (look->rate[k] < 0 ? 0 : look->rate[k]) +
					(double)row->rate[k];
		}
}

/* Slots of bindings that were removed. */
static void leave_out(struct rank_rows *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++)
		if (rows->at[i].name[0])
			rows->at[n++] = rows->at[i];
	rows->n = n;
}

static void look_again(struct agent *agent, struct ranking *look)
{
	const struct census *census = survey_census(agent);
	struct ranking before = *look;

	*look = (struct ranking){ .when = agent_clock(), .asked = before.asked,
				  .changes = agent->changes,
				  .serial = census ? census->serial : 0 };
	look->interval = before.when ? look->when - before.when : 0;
	add_rows(agent, census, look);
	add_ports(agent, census, look);
	metering_read(agent, &look->rows);
	add_groups(agent, look);
	leave_out(&look->rows);
	rank_rates(&look->rows, before.when ? &before.rows : NULL, look->interval);
	sum_rates(look);
	look->took = agent_clock() - look->when;
	free(before.rows.at);
}

uint64_t ranking_ask(struct agent *agent)
{
	const struct census *last = survey_census(agent);
	uint64_t age = last ? agent_clock() - last->when : 0;

	if (last && (age < CENSUS_FRESH_USEC || age < last->took * CENSUS_SHARE))
		return 0;
	return survey_ask_census(agent);
}

static bool is_due(const struct ranking *ranking, uint64_t serial)
{
	uint64_t age = ranking->asked - ranking->when;

	return age >= ranking->took * LOOK_SHARE &&
	       (age >= LOOK_USEC || ranking->serial != serial);
}

const struct ranking *ranking_look(struct agent *agent)
{
	const struct census *census = survey_census(agent);
	struct ranking *ranking = agent->ranking;

	if (!ranking)
		ranking = agent->ranking = mem_zero(1, sizeof *ranking);
	ranking->asked = agent_clock();
	if (ranking->when == 0 || ranking->changes != agent->changes ||
	    is_due(ranking, census ? census->serial : 0))
		look_again(agent, ranking);
	return ranking;
}

const struct census_pool *ranking_pool(const struct agent *agent, const struct rank_row *row)
{
	const struct census *census = survey_census(agent);

	return census && agent->ranking && agent->ranking->serial == census->serial &&
			       row->pool < census->pools.n
		       ? &census->pools.at[row->pool]
		       : NULL;
}

void ranking_rest(struct agent *agent)
{
	if (!agent->ranking || agent_clock() - agent->ranking->asked < REST_USEC)
		return;
	ranking_free(agent->ranking);
	agent->ranking = NULL;
}

void ranking_free(struct ranking *ranking)
{
	if (!ranking)
		return;
	free(ranking->rows.at);
	free(ranking);
}
