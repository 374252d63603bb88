/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See capacity.h. */
#include "daemon/capacity.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/sources.h"
#include "daemon/survey.h"
#include "plan/explain.h"

#include <math.h>
#include <stdio.h>

enum { MENDED_BELOW = 10 };			/* percent below the warning */

static double share(const struct port_use *use)
{
	return use->available ? (double)use->taken / use->available : 1;
}

void capacity_rate(struct port_use *use, const struct census *now, const struct census *before)
{
	const struct census_pool *pool = census_pool(now, &use->pool);
	const struct census_pool *old = before ? census_pool(before, &use->pool) : NULL;
	double seconds = before ? (double)(now->when - before->when) / 1e6 : 0;

	use->per_second = use->exhausted_in = NAN;
	if (seconds <= 0)
		return;
	use->per_second = ((pool ? (double)census_taken(pool) : 0) -
			   (old ? (double)census_taken(old) : 0)) / seconds;
	use->exhausted_in = INFINITY;
	if (use->taken >= use->available)
		use->exhausted_in = 0;
	else if (use->per_second > 0)
		use->exhausted_in = (use->available - use->taken) / use->per_second;
}

/* What would give more ports. Where the socket has the host's address, all bindings share its ports,
 * and an address more for the binding helps nobody. */
static enum capacity_help help_for(const struct port_use *use, bool shared,
				   const struct port_supply *supply)
{
	bool wide = supply->settings->n_ports >= CENSUS_SNAT_PORTS - 1024;

	if (supply->warning == 0 || use->taken * 100.0 < (double)use->available * supply->warning)
		return HELP_NONE;
	if (use->pool.outside)
		return HELP_ADDRESS;
	if (shared)
		return wide ? HELP_BIND : HELP_RANGE;
	return wide ? HELP_ADDRESS : HELP_RANGE;
}

struct port_use capacity_judge(const struct census *now, const struct census_use *use,
			       const struct port_supply *supply)
{
	const struct census_pool *near = &now->pools.at[use->near];
	const struct census_pool *far = &now->pools.at[use->far];
	struct port_use tight = { .mark = use->mark, .mine = use->live + use->closing,
				  .per_second = NAN, .exhausted_in = NAN };
	struct port_use outside = tight;

	outside.pool = *far;
	outside.taken = census_taken(far);
	outside.available = CENSUS_SNAT_PORTS;
	tight.pool = *near;
	tight.taken = census_taken(near);
	tight.available = supply->settings->n_ports;
	/* Who is forwarded brings his port along: only where it goes out it must be a free one. */
	if (!explain_to_local(supply->facts, &near->source) || share(&outside) > share(&tight))
		tight = outside;
	tight.help = help_for(&tight, !ip_equal(&near->source, &far->source), supply);
	return tight;
}

int capacity_compare(const struct port_use *a, const struct port_use *b)
{
	double left = share(a), right = share(b);

	if (left != right)
		return left > right ? -1 : 1;
	return a->mine != b->mine ? (a->mine > b->mine ? -1 : 1) : 0;
}

bool capacity_recount(struct agent *agent, struct port_use *use)
{
	uint32_t n;

	if (use->pool.outside || use->pool.protocol != PROTOCOL_TCP || use->pool.closing == 0 ||
	    agent->kernel->count_sockets(agent->kernel, &use->pool.source, &use->pool.to,
					 use->pool.to_port, &n) < 0)
		return false;
	use->taken = n;
	return true;
}

/* Where two marks use the same pool it is one shortage, told under the first. */
static size_t find_short(const struct capacity *capacity, const struct census_pool *pool)
{
	for (size_t i = 0; i < capacity->n; i++)
		if (census_same_pool(&capacity->at[i].pool, pool))
			return i;
	return SIZE_MAX;
}

static void say(struct agent *agent, enum log_event event, const struct port_use *use)
{
	const char *name = sources_name(agent, (struct fwmark){ use->mark });
	char source[IP_TEXT], to[IP_TEXT], rest[32] = "-";

	if (isfinite(use->exhausted_in))
		snprintf(rest, sizeof rest, "%.0f", use->exhausted_in);
	log_event(event,
		  "binding=%s source=%s to=%s to_port=%u protocol=%u taken=%u available=%u"
		  " seconds_left=%s",
		  name ? name : "-", ip_print(&use->pool.source, source),
		  ip_print(&use->pool.to, to), use->pool.to_port, use->pool.protocol, use->taken,
		  use->available, rest);
}

static void note_short(struct agent *agent, const struct port_use *use)
{
	struct capacity *capacity = agent->capacity;
	size_t at = find_short(capacity, &use->pool);
	bool exhausted = use->taken >= use->available;

	if (at == SIZE_MAX && capacity->n < CAPACITY_SHORT_MAX) {
		at = capacity->n++;
		capacity->at[at].pool = use->pool;
		capacity->at[at].mark = use->mark;
		capacity->at[at].exhausted = false;
		capacity->warnings++;
		say(agent, EVENT_PORTS_SHORT, use);
	}
	if (at == SIZE_MAX)
		return;
	capacity->at[at].seen = true;
	if (exhausted && !capacity->at[at].exhausted) {
		capacity->exhaustions++;
		say(agent, EVENT_PORTS_EXHAUSTED, use);
	}
	capacity->at[at].exhausted = exhausted;
}

/* What is no longer short, by some way, so that it is not told over and over. */
static void forget_enough(struct agent *agent, const struct port_supply *supply)
{
	struct capacity *capacity = agent->capacity;
	const struct census *now = survey_census(agent);
	unsigned looks = CAPACITY_LOOKS;
	size_t n = 0;

	for (size_t i = 0; i < capacity->n; i++) {
		const struct census_pool *pool = census_pool(now, &capacity->at[i].pool);
		struct port_use use = { .mark = capacity->at[i].mark, .exhausted_in = NAN,
					.pool = pool ? *pool : capacity->at[i].pool,
					.taken = pool ? census_taken(pool) : 0,
					.available = capacity->at[i].pool.outside
							     ? CENSUS_SNAT_PORTS
							     : supply->settings->n_ports };

		if (pool && !capacity->at[i].seen && looks > 0 && capacity_recount(agent, &use))
			looks--;
		if (!capacity->at[i].seen &&
		    use.taken * 100.0 < (double)use.available *
						((double)supply->warning - MENDED_BELOW)) {
			say(agent, EVENT_PORTS_ENOUGH, &use);
			continue;
		}
		capacity->at[i].seen = false;
		capacity->at[n++] = capacity->at[i];
	}
	capacity->n = n;
}

/* What is settled in the supply for this moment; false if the kernel does not say. */
static bool supply_of(struct agent *agent, struct net_settings *settings,
		      struct port_supply *ret)
{
	if (agent->kernel->read_settings(agent->kernel, settings) < 0)
		return false;
	*ret = (struct port_supply){ .settings = settings, .facts = &agent->facts,
				     .warning = agent->now->model.port_warning };
	return true;
}

void capacity_watch(struct agent *agent)
{
	const struct census *now = survey_census(agent), *before = survey_census_before(agent);
	struct net_settings settings;
	struct port_supply supply;
	unsigned looks = CAPACITY_LOOKS;

	if (!agent->capacity)
		agent->capacity = mem_zero(1, sizeof *agent->capacity);
	if (!now || !supply_of(agent, &settings, &supply))
		return;
	for (size_t i = 0; i < now->uses.n && supply.warning > 0; i++) {
		struct port_use use;

		if (now->uses.at[i].mark == 0)
			continue;
		use = capacity_judge(now, &now->uses.at[i], &supply);
		if (use.help == HELP_NONE)
			continue;
		if (looks > 0 && capacity_recount(agent, &use)) {
			looks--;
			if (use.taken * 100.0 < (double)use.available * supply.warning)
				continue;
		}
		capacity_rate(&use, now, before);
		note_short(agent, &use);
	}
	forget_enough(agent, &supply);
}
