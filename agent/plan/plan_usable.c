/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which bindings can carry traffic now, by family, and what they leave from: usable, snat, spread,
 * own and steer. An address counts while the host has it (and, if the binding names an interface,
 * has it there); a binding is usable while one of its addresses counts. What is not usable gets no
 * row at all: the data path refuses a mark that it does not find. A suspended binding lacks its row
 * in `usable` only, so that what is alive goes on.
 */
#include "plan/plan_usable.h"

#include "base/mem.h"
#include "plan/plan_cover.h"
#include "plan/plan_rows.h"
#include "plan/spread.h"

struct host {					/* the facts, ready to be asked about one address */
	const struct facts *facts;
	struct cover local;
	size_t near;				/* where the last search ended: bindings come in order */
};

struct choice {					/* addresses of one binding and family that count */
	struct ip ip[ADDRESSES_MAX];
	uint32_t origin[ADDRESSES_MAX];
	size_t n;
};

/* Index of the first local address that is not below @ip. */
static size_t first_address(struct host *host, const struct ip *ip)
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
		[UNUSABLE_NO_ADDRESS] = 6, [UNUSABLE_STAND_IN] = 7,
	};

	return ranks[reason];
}

static enum usable_reason nearer(enum usable_reason a, enum usable_reason b)
{
	return reason_rank(a) <= reason_rank(b) ? a : b;
}

static enum usable_reason address_reason(struct host *host, const struct binding *binding,
					 const struct ip *ip)
{
	const struct local_address *at = host->facts->addresses.at;
	enum usable_reason reason = UNUSABLE_ABSENT, one;

	for (size_t i = first_address(host, ip);
	     i < host->facts->addresses.n && ip_equal(&at[i].ip, ip); i++) {
		if (binding->interface && strcmp(at[i].interface, binding->interface) != 0)
			one = UNUSABLE_INTERFACE;
		else if (at[i].duplicate)
			one = UNUSABLE_DUPLICATE;
		else
			one = at[i].tentative ? UNUSABLE_TENTATIVE : USABLE;
		reason = nearer(reason, one);
	}
	if (reason != USABLE && !binding->interface && plan_cover_has(&host->local, ip))
		return USABLE;
	return reason;
}

static void judge(struct host *host, const struct model *model, uint32_t index,
		  struct usability *usability)
{
	const struct binding *binding = &model->bindings.at[index];

	for (int f = 0; f < FAMILIES; f++) {
		usability->reason[f] = UNUSABLE_NO_ADDRESS;
		usability->by[f] = NO_INDEX;
	}
	for (uint32_t i = 0; i < binding->n_addresses; i++) {
		const struct ip *ip = &model->addresses.at[binding->first_address + i].ip;
		enum usable_reason *reason = &usability->reason[ip_family(ip)];

		if (*reason != USABLE)
			*reason = nearer(*reason, address_reason(host, binding, ip));
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

static bool chosen(const struct choice *choice, const struct ip *ip)
{
	for (size_t i = 0; i < choice->n; i++)
		if (ip_equal(&choice->ip[i], ip))
			return true;
	return false;
}

static void choose(struct host *host, const struct model *model, uint32_t index, int family,
		   struct choice *ret)
{
	const struct binding *binding = &model->bindings.at[index];

	ret->n = 0;
	for (uint32_t i = 0; i < binding->n_addresses && ret->n < ADDRESSES_MAX; i++) {
		uint32_t origin = binding->first_address + i;
		const struct ip *ip = &model->addresses.at[origin].ip;

		if ((int)ip_family(ip) != family || chosen(ret, ip) ||
		    address_reason(host, binding, ip) != USABLE)
			continue;
		ret->ip[ret->n] = *ip;
		ret->origin[ret->n++] = origin;
	}
}

/* A row of @set: mark, then the slot or nothing, then an address, in key or data. */
static void add_address(struct plan *plan, enum set_id set, struct fwmark mark,
			const uint32_t *slot, const struct ip *ip, uint32_t origin)
{
	uint8_t *row = plan_rows_add(plan, set);
	uint8_t *at = put_host32(row, mark.host);

	if (slot)
		at = put_host32(at, *slot);
	put_ip(at, ip);
	plan_rows_origin(&plan_shapes[set], row, origin);
}

static void emit(struct plan *plan, uint32_t binding, int family, const struct choice *choice)
{
	struct fwmark mark = plan->marks[binding];
	bool ipv4 = family == FAMILY_IPV4;

	if (choice->n == 0)
		return;
	if (plan_usable(plan, binding, (enum family)family))
		put_host32(plan_rows_add(plan, ipv4 ? SET_USABLE4 : SET_USABLE6), mark.host);
	for (size_t i = 0; i < choice->n; i++)
		add_address(plan, ipv4 ? SET_OWN4 : SET_OWN6, mark, NULL, &choice->ip[i],
			    choice->origin[i]);
	if (choice->n == 1) {
		add_address(plan, ipv4 ? SET_SNAT4 : SET_SNAT6, mark, NULL, &choice->ip[0],
			    choice->origin[0]);
		return;
	}
	for (uint32_t slot = 0; slot < SPREAD_SLOTS; slot++) {
		size_t i = spread_choose(choice->ip, choice->n, slot);

		add_address(plan, ipv4 ? SET_SPREAD4 : SET_SPREAD6, mark, &slot, &choice->ip[i],
			    choice->origin[i]);
	}
}

static int by_mask(const void *left, const void *right)
{
	const struct fwmark_rule *a = left, *b = right;

	if (a->mask.host != b->mask.host)
		return a->mask.host < b->mask.host ? -1 : 1;
	return a->mark.host < b->mark.host ? -1 : a->mark.host > b->mark.host;
}

/*
 * A routing rule matches as net/core/fib_rules.c fib_rule_match() does: bits outside its mask do
 * not count. Bits outside ours are somebody else's, so what they say is left open here.
 */
static void build_steer(const struct facts *facts, struct plan *plan)
{
	struct fwmark_rule *AUTO(mem_drop) rules = mem_zero(facts->fwmark_rules.n, sizeof *rules);
	size_t n = 0;

	for (size_t i = 0; i < facts->fwmark_rules.n; i++) {
		const struct fwmark_rule *rule = &facts->fwmark_rules.at[i];
		uint32_t mask = rule->mask.host & plan->mask.host;

		if (mask)
			rules[n++] = (struct fwmark_rule){ .mask = { mask },
							   .mark = { rule->mark.host & mask } };
	}
	if (n == 0)
		return;
	qsort(rules, n, sizeof *rules, by_mask);
	for (size_t b = 0; b < plan->n_bindings; b++) {
		bool hit = false;

		for (size_t i = 0, end; i < n && !hit; i = end) {	/* one search a mask */
			struct fwmark_rule want = { .mask = rules[i].mask };

			want.mark.host = plan->marks[b].host & want.mask.host;
			for (end = i; end < n && rules[end].mask.host == want.mask.host;)
				end++;
			hit = bsearch(&want, rules + i, end - i, sizeof *rules, by_mask) != NULL;
		}
		if (hit)
			put_host32(plan_rows_add(plan, SET_STEER), plan->marks[b].host);
	}
}

void plan_usable_build(const struct model *model, const struct facts *facts, struct plan *plan)
{
	struct host host = { .facts = facts };
	struct choice choice;

	for (size_t i = 0; i < facts->local.n; i++)
		plan_cover_add(&host.local, &facts->local.at[i], NO_INDEX);
	plan_cover_finish(&host.local);
	for (uint32_t i = 0; i < model->bindings.n; i++)
		judge(&host, model, i, &plan->usability[i]);
	stand_ins(model, plan);
	for (uint32_t i = 0; i < model->bindings.n; i++)
		for (int f = 0; f < FAMILIES; f++) {
			uint32_t by = plan->usability[i].by[f];

			if (by == NO_INDEX)
				continue;
			choose(&host, model, by, f, &choice);
			emit(plan, i, f, &choice);
		}
	build_steer(facts, plan);
	plan_cover_drop(&host.local);
}
