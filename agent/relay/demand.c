/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See demand.h. DANE and the rest are two things: TLSA records that are there decide (RFC 7672; RFC 8461
 * section 2: MTA-STS does not override them), and where there are none the highest level holds that
 * configuration or policy asks for. `verify` with names of a policy is more than with the host's name,
 * which came by DNS.
 */
#include "relay/demand.h"

#include "base/mem.h"

#include <string.h>

static enum relay_tls without_records(enum relay_tls level)
{
	return level == RELAY_UPSTREAM_DANE || level == RELAY_UPSTREAM_UNSAID ? RELAY_UPSTREAM_MAY
									      : level;
}

static void add_policy(struct demand *demand, const struct sts_policy *policy)
{
	enum relay_tls level = without_records(policy->level);

	demand->dane |= policy->level == RELAY_UPSTREAM_DANE;
	demand->needs_records = policy->needs_records;
	if (level > demand->level)
		demand->level = level;
	if (level < RELAY_UPSTREAM_VERIFY || policy->match_host)
		return;
	for (size_t n = 0; policy->names[n]; n++)
		demand->names[n] = mem_copy(policy->names[n]);
}

struct demand demand_make(enum relay_tls configured, const struct sts_policy *policy)
{
	struct demand demand = { .level = without_records(configured),
				 .dane = configured == RELAY_UPSTREAM_DANE };

	if (policy && policy->level != RELAY_UPSTREAM_UNSAID)
		add_policy(&demand, policy);
	return demand;
}

bool demand_equal(const struct demand *a, const struct demand *b)
{
	size_t n = 0;

	if (a->level != b->level || a->dane != b->dane || a->needs_records != b->needs_records)
		return false;
	while (a->names[n] && b->names[n] && strcmp(a->names[n], b->names[n]) == 0)
		n++;
	return !a->names[n] && !b->names[n];
}

enum relay_tls demand_level(const struct demand *demand, size_t n_tlsa, bool needs_tls)
{
	if (demand->dane && n_tlsa > 0)
		return RELAY_UPSTREAM_DANE;
	return demand->level <= RELAY_UPSTREAM_MAY && needs_tls ? RELAY_UPSTREAM_ENCRYPT
								: demand->level;
}

struct demand demand_take(struct demand *demand)
{
	struct demand out = *demand;

	*demand = (struct demand){ 0 };
	return out;
}

void demand_drop(struct demand *demand)
{
	for (size_t n = 0; demand->names[n]; n++)
		free(demand->names[n]);
	*demand = (struct demand){ 0 };
}
