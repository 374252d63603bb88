/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which bindings can carry traffic now, by family. An address counts while the host has it (and, if
 * the binding names an interface, has it there); a binding is usable while one of its addresses
 * counts. What that comes to in rows is plan_emit.c.
 */
#include "plan/plan_usable.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Index of the first local address that is not below @ip. */
static size_t first_address(struct plan_host *host, const struct ip *ip)
{
	const struct local_address *at = host->facts->addresses.at;
	size_t n = host->facts->addresses.n, low = 0, high = n, near = host->near;

	if (near < n && ip_compare(&at[near].ip, ip) < 0) {
		low = near + 1;
		if (low < n && ip_compare(&at[low].ip, ip) >= 0)
			high = low;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ip_compare(&at[middle].ip, ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return host->near = low;
}

/* Lower is nearer to being usable: what a binding with several addresses reports. */
static int reason_rank(enum usable_reason reason)
{
	static const int ranks[] = {
		[USABLE] = 0, [USABLE_BY_OTHER] = 1, [UNUSABLE_TENTATIVE] = 2,
		[UNUSABLE_DUPLICATE] = 3, [UNUSABLE_INTERFACE] = 4, [UNUSABLE_ABSENT] = 5,
		[UNUSABLE_NO_ADDRESS] = 6, [UNUSABLE_STAND_IN] = 7, [UNUSABLE_CLAIMING] = 2,
		[UNUSABLE_LINK] = 4, [UNUSABLE_NO_ROUTE] = 4, [UNUSABLE_GATEWAY] = 4,
		[UNUSABLE_PROBE] = 4, [UNUSABLE_MEMBERS] = 6,
	};

	return ranks[reason];
}

static enum usable_reason nearer(enum usable_reason a, enum usable_reason b)
{
	return reason_rank(a) <= reason_rank(b) ? a : b;
}

enum usable_reason plan_usable_address(struct plan_host *host, const struct model *model,
				       uint32_t index)
{
	const struct local_address *at = host->facts->addresses.at;
	const struct address *address = &model->addresses.at[index];
	const char *interface = model->bindings.at[address->binding].interface;
	enum usable_reason reason = UNUSABLE_ABSENT, one;

	for (size_t i = first_address(host, &address->ip);
	     i < host->facts->addresses.n && ip_equal(&at[i].ip, &address->ip); i++) {
		if (interface && strcmp(at[i].interface, interface) != 0)
			one = UNUSABLE_INTERFACE;
		else if (at[i].duplicate)
			one = UNUSABLE_DUPLICATE;
		else
			one = at[i].tentative ? UNUSABLE_TENTATIVE : USABLE;
		reason = nearer(reason, one);
	}
	if (reason != USABLE && !interface && plan_cover_has(&host->local, &address->ip))
		return USABLE;
	return reason;
}

void plan_usable_judge(struct plan_host *host, const struct model *model, struct plan *plan,
		       uint32_t index)
{
	const struct binding *binding = &model->bindings.at[index];
	struct usability *usability = &plan->usability[index];

	for (int f = 0; f < FAMILIES; f++) {
		usability->reason[f] = UNUSABLE_NO_ADDRESS;
		usability->by[f] = NO_INDEX;
	}
	for (uint32_t i = 0; i < binding->n_addresses; i++) {
		uint32_t at = binding->first_address + i;
		enum usable_reason *reason =
			&usability->reason[ip_family(&model->addresses.at[at].ip)];

		if (*reason != USABLE)
			*reason = nearer(*reason, plan_usable_address(host, model, at));
	}
	for (int f = 0; f < FAMILIES; f++)
		if (usability->reason[f] == USABLE)
			usability->by[f] = index;
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
	for (uint32_t i = 0; i < model->bindings.n; i++)
		plan_usable_judge(host, model, plan, i);
	stand_ins(model, plan);
}
