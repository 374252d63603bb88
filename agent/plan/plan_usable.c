/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which bindings can carry traffic now, by family. An address counts while the host has it on a link
 * that is up (and, if the binding names an interface, has it there) and no other host claims it; a
 * binding is usable while one of its addresses counts and its family leads out: by its uplink, or
 * by any route at all. Its active probe has the last word. What is not known is not held against
 * anybody. What that comes to in rows is plan_emit.c, in words plan_reason.c.
 */
#include "plan/plan_usable.h"

#include "base/mem.h"
#include "plan/identities.h"

#include <stdlib.h>
#include <string.h>

/* Lower is nearer to being usable: what a binding with several addresses reports. */
static int reason_rank(enum usable_reason reason)
{
	static const int ranks[] = {
		[USABLE] = 0, [USABLE_BY_OTHER] = 1, [UNUSABLE_TENTATIVE] = 2,
		[UNUSABLE_DUPLICATE] = 3, [UNUSABLE_INTERFACE] = 4, [UNUSABLE_ABSENT] = 5,
		[UNUSABLE_NO_ADDRESS] = 6, [UNUSABLE_STAND_IN] = 7, [UNUSABLE_CLAIMING] = 2,
		[UNUSABLE_LINK] = 4, [UNUSABLE_NO_ROUTE] = 4, [UNUSABLE_GATEWAY] = 4,
		[UNUSABLE_PROBE] = 4, [UNUSABLE_MEMBERS] = 6, [UNUSABLE_IDENTITY] = 2,
	};

	return ranks[reason];
}

static enum usable_reason nearer(enum usable_reason a, enum usable_reason b)
{
	return reason_rank(a) <= reason_rank(b) ? a : b;
}

/* Is the interface up. Addresses and bindings come grouped by it, so one answer is remembered. */
static bool is_up(struct plan_host *host, const char *interface)
{
	const struct link *link;

	if (host->facts->links.n == 0)
		return true;
	if (!host->near_name || strcmp(host->near_name, interface) != 0) {
		link = facts_link(host->facts, interface);
		host->near_name = interface;
		host->near_up = link && link->up;
	}
	return host->near_up;
}

/* One address of the host that is the one of the binding. */
static enum usable_reason judge_local(struct plan_host *host, const struct local_address *local,
				      const char *interface)
{
	if (interface && strcmp(local->interface, interface) != 0)
		return UNUSABLE_INTERFACE;
	if (local->duplicate)
		return UNUSABLE_DUPLICATE;
	if (local->tentative)
		return UNUSABLE_TENTATIVE;
	return is_up(host, local->interface) ? USABLE : UNUSABLE_LINK;
}

static enum usable_reason judge_presence(struct plan_host *host, const struct model *model,
					 uint32_t index)
{
	const struct local_address *at = host->facts->addresses.at;
	const struct address *address = &model->addresses.at[index];
	const char *interface = model->bindings.at[address->binding].interface;
	enum usable_reason reason = UNUSABLE_ABSENT;

	if (address->routed)			/* needs no address of ours */
		return USABLE;
	if (interface && !is_up(host, interface))
		return UNUSABLE_LINK;
	if (facts_conflict(host->facts, &address->ip))
		return UNUSABLE_DUPLICATE;
	host->near = facts_address(host->facts, &address->ip, host->near);
	for (size_t i = host->near;
	     i < host->facts->addresses.n && ip_equal(&at[i].ip, &address->ip); i++)
		reason = nearer(reason, judge_local(host, &at[i], interface));
	if (reason != USABLE && !interface && plan_cover_has(&host->local, &address->ip))
		return USABLE;
	if (reason == UNUSABLE_ABSENT && facts_claiming(host->facts, &address->ip))
		return UNUSABLE_CLAIMING;
	return reason;
}

/* What must be confirmed and is not, is as if it were not there. */
static bool is_confirmed(const struct facts *facts, const struct model *model, uint32_t index)
{
	const struct address *address = &model->addresses.at[index];
	const struct sender *sender = model->bindings.at[address->binding].sender;
	const struct identity *identity;

	if (!sender || sender->fcrdns != REQUIRE_REJECT || !facts->identities)
		return true;
	identity = identities_find(facts->identities, &address->ip);
	return identity && identity->counts;
}

enum usable_reason plan_usable_address(struct plan_host *host, const struct model *model,
				       uint32_t index)
{
	enum usable_reason reason = judge_presence(host, model, index);

	if (reason == USABLE && !is_confirmed(host->facts, model, index))
		reason = UNUSABLE_IDENTITY;
	return reason;
}

uint32_t plan_usable_source(const struct model *model, const struct facts *facts,
			    uint32_t binding, enum family family)
{
	struct plan_host host = { .facts = facts };
	uint32_t first = model->bindings.at[binding].first_address;

	for (uint32_t i = first; i < first + model->bindings.at[binding].n_addresses; i++)
		if (ip_family(&model->addresses.at[i].ip) == family &&
		    plan_usable_address(&host, model, i) == USABLE)
			return i;
	return NO_INDEX;
}

static bool probe_fails(const struct probe *probe, const struct probe_failures *failures,
			uint32_t index, int family)
{
	return probe && (int)ip_family(&probe->to) == family && index < failures->n &&
	       failures->at[index];
}

static enum usable_reason judge_uplink(struct plan_host *host, const struct model *model,
				       uint32_t index, int family)
{
	const struct uplink *uplink = &model->uplinks.at[index];
	const struct facts *facts = host->facts;
	struct uplink_state state = { 0 };

	if (index < facts->uplinks.n)
		state = facts->uplinks.at[index];
	if (state.down || !is_up(host, uplink->interface))
		return UNUSABLE_LINK;
	if (state.no_route[family])
		return UNUSABLE_NO_ROUTE;
	if (state.silent[family])
		return UNUSABLE_GATEWAY;
	if (probe_fails(uplink->probe, &facts->uplink_probes, index, family))
		return UNUSABLE_PROBE;
	return USABLE;
}

/* Beside its addresses: does its family lead out, and does its probe say so. */
static enum usable_reason judge_way(struct plan_host *host, const struct model *model,
				    const struct plan *plan, uint32_t index, int family)
{
	const struct binding *binding = &model->bindings.at[index];
	enum usable_reason reason = USABLE;

	if (binding->uplink < model->uplinks.n)
		reason = plan->uplinks[binding->uplink].reason[family];
	else if (host->facts->no_way_out[family])
		reason = UNUSABLE_NO_ROUTE;
	if (reason == USABLE &&
	    probe_fails(binding->probe, &host->facts->binding_probes, index, family))
		reason = UNUSABLE_PROBE;
	return reason;
}

/* A link that is down takes IPv6 addresses with it, so that is said first. */
static enum usable_reason join(enum usable_reason addresses, enum usable_reason way)
{
	if (addresses == UNUSABLE_NO_ADDRESS || (addresses != USABLE && way != UNUSABLE_LINK))
		return addresses;
	return way;
}

void plan_usable_judge(struct plan_host *host, const struct model *model, struct plan *plan,
		       uint32_t index)
{
	const struct binding *binding = &model->bindings.at[index];
	struct usability *usability = &plan->usability[index];

	for (int f = 0; f < FAMILIES; f++)
		usability->reason[f] = UNUSABLE_NO_ADDRESS;
	for (uint32_t i = 0; i < binding->n_addresses; i++) {
		uint32_t at = binding->first_address + i;
		enum usable_reason *reason =
			&usability->reason[ip_family(&model->addresses.at[at].ip)];

		if (*reason != USABLE)
			*reason = nearer(*reason, plan_usable_address(host, model, at));
	}
	for (int f = 0; f < FAMILIES; f++) {
		usability->reason[f] = join(usability->reason[f],
					    judge_way(host, model, plan, index, f));
		usability->own[f] = usability->reason[f];
		usability->by[f] = usability->reason[f] == USABLE ? index : NO_INDEX;
	}
}

struct trail { uint32_t *at; size_t n, room; };

/*
 * Follow `unusable use` from @start to the binding that stands in, and note it for everyone on the
 * way, so that a long chain is walked once. A binding without an address of the family ends the
 * chain: it refuses, so that a client with both families tries the other one. Who leads to a
 * suspended binding keeps its rows, as that one does, and refuses, as that one does.
 */
static void stand_in(const struct model *model, struct plan *plan, int family, uint8_t *seen,
		     uint32_t start, struct trail *trail)
{
	uint32_t at = start, by;
	bool refuses;

	trail->n = 0;
	while (!seen[at]) {
		enum usable_reason reason = plan->usability[at].reason[family];

		if (reason == USABLE || reason == UNUSABLE_NO_ADDRESS ||
		    model->bindings.at[at].unusable != UNUSABLE_USE)
			break;
		seen[at] = 1;
		PUSH(trail, at);
		at = model->bindings.at[at].unusable_use;
	}
	by = plan->usability[at].by[family];
	refuses = plan->suspended[at] || plan->usability[at].reason[family] == UNUSABLE_STAND_IN;
	for (size_t i = trail->n; i-- > 0 && by != NO_INDEX;) {
		struct usability *usability = &plan->usability[trail->at[i]];

		usability->reason[family] = refuses ? UNUSABLE_STAND_IN : USABLE_BY_OTHER;
		usability->by[family] = by;
		refuses = refuses || plan->suspended[trail->at[i]];
	}
}

static void stand_ins(const struct model *model, struct plan *plan)
{
	struct trail trail = { 0 };

	for (int f = 0; f < FAMILIES; f++) {
		uint8_t *AUTO(mem_drop) seen = mem_zero(model->bindings.n, 1);

		for (uint32_t i = 0; i < model->bindings.n; i++)
			stand_in(model, plan, f, seen, i, &trail);
	}
	free(trail.at);
}

static int by_mask(const void *left, const void *right)
{
	const struct fwmark_rule *a = left, *b = right;

	if (a->mask.host != b->mask.host)
		return a->mask.host < b->mask.host ? -1 : 1;
	return a->mark.host < b->mark.host ? -1 : a->mark.host > b->mark.host;
}

void plan_host_open(const struct facts *facts, struct fwmark ours, struct plan_host *ret)
{
	*ret = (struct plan_host){ .facts = facts };
	for (size_t i = 0; i < facts->local.n; i++)
		plan_cover_add(&ret->local, &facts->local.at[i], NO_INDEX);
	plan_cover_finish(&ret->local);
	for (size_t i = 0; i < facts->fwmark_rules.n; i++) {
		const struct fwmark_rule *rule = &facts->fwmark_rules.at[i];
		uint32_t mask = rule->mask.host & ours.host;

		if (mask)
			PUSH(&ret->steering,
			     ((struct fwmark_rule){ .mask = { mask },
						    .mark = { rule->mark.host & mask } }));
	}
	if (ret->steering.n)
		qsort(ret->steering.at, ret->steering.n, sizeof *ret->steering.at, by_mask);
}

void plan_host_drop(struct plan_host *host)
{
	plan_cover_drop(&host->local);
	free(host->steering.at);
}

void plan_usable_build(struct plan_host *host, const struct model *model, struct plan *plan)
{
	free(plan->uplinks);
	plan->uplinks = mem_zero(model->uplinks.n, sizeof *plan->uplinks);
	for (uint32_t i = 0; i < model->uplinks.n; i++)
		for (int f = 0; f < FAMILIES; f++)
			plan->uplinks[i].reason[f] = judge_uplink(host, model, i, f);
	for (uint32_t i = 0; i < model->bindings.n; i++)
		plan_usable_judge(host, model, plan, i);
	stand_ins(model, plan);
}
