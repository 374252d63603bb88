/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a binding leaves from, as rows: usable, snat, spread, range, own and zone. A binding that is
 * not usable gets no address at all: the data path refuses a mark that it does not find. A suspended
 * one lacks its row in `usable` only, so that what is alive goes on.
 *
 * One binding at a time, so that a change of one need not make the plan anew.
 */
#include "plan/plan_emit.h"

#include "base/mem.h"
#include "plan/plan_limits.h"
#include "plan/plan_rows.h"
#include "plan/plan_steer.h"
#include "plan/spread.h"

const enum set_id plan_binding_sets[] = {
	SET_USABLE4, SET_USABLE6, SET_LIMITED4, SET_LIMITED6, SET_LIMIT_CONNECTIONS, SET_LIMIT_NEW,
	SET_PASSED4, SET_PASSED6, SET_SENT, SET_RECEIVED,
	SET_CONNECTIONS_TO, SET_NEW_TO, SET_WARMUP, SET_WARMUP_SPENT,
	SET_WARMUP_OVERFLOW, SET_WARMUP_OVERFLOWS, SET_OVERFLOW, SET_OVERFLOWS, SET_MEMBERS,
	SET_SNAT4, SET_SNAT6, SET_SPREAD4, SET_SPREAD6,
	SET_OWN4, SET_OWN6, SET_RANGE4, SET_RANGE6, SET_OWN_RANGE4, SET_OWN_RANGE6,
	SET_STEER, SET_HAS_UPLINK, SET_STEER_TO, SET_STEER_BIT, SET_VIA, SET_ANSWER,
	SET_ZONE, SETS,
};

struct choice {					/* what counts of one binding and family */
	const struct address *at[ADDRESSES_MAX];
	struct ip ip[ADDRESSES_MAX];		/* the same; the first one of a routed prefix */
	uint32_t origin[ADDRESSES_MAX];
	size_t n;
};

static bool chosen(const struct choice *choice, const struct ip *ip)
{
	for (size_t i = 0; i < choice->n; i++)
		if (ip_equal(&choice->ip[i], ip))
			return true;
	return false;
}

/* @all: also addresses that nothing new may leave from now. */
static void choose(struct plan_host *host, const struct model *model, uint32_t index, int family,
		   bool all, struct choice *ret)
{
	const struct binding *binding = &model->bindings.at[index];

	ret->n = 0;
	for (uint32_t i = 0; i < binding->n_addresses && ret->n < ADDRESSES_MAX; i++) {
		uint32_t origin = binding->first_address + i;
		const struct address *address = &model->addresses.at[origin];

		if ((int)ip_family(&address->ip) != family || chosen(ret, &address->ip) ||
		    (!all && plan_usable_address(host, model, origin) != USABLE))
			continue;
		ret->at[ret->n] = address;
		ret->ip[ret->n] = address->ip;
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

static struct ip last_of(const struct address *address)
{
	return prefix_last(&(struct prefix){ address->ip, address->bits });
}

/* What a packet may leave from: an address, or any of a prefix. */
static void add_own(struct plan *plan, struct fwmark mark, const struct address *address,
		    uint32_t origin)
{
	bool ipv4 = ip_family(&address->ip) == FAMILY_IPV4;
	enum set_id set = ipv4 ? SET_OWN_RANGE4 : SET_OWN_RANGE6;
	struct ip last = last_of(address);
	uint8_t *row;

	if (!address->routed) {
		add_address(plan, ipv4 ? SET_OWN4 : SET_OWN6, mark, NULL, &address->ip, origin);
		return;
	}
	row = plan_rows_add(plan, set);
	put_ip(put_net32(row, mark.host), &address->ip);
	put_ip(put_net32(row + plan_shapes[set].key_len, mark.host), &last);
	plan_rows_origin(&plan_shapes[set], row, origin);
}

static void add_range(struct plan *plan, struct fwmark mark, const struct address *address,
		      uint32_t origin)
{
	enum set_id set = ip_family(&address->ip) == FAMILY_IPV4 ? SET_RANGE4 : SET_RANGE6;
	struct ip last = last_of(address);
	uint8_t *row = plan_rows_add(plan, set);

	put_ip(put_ip(put_host32(row, mark.host), &address->ip), &last);
	plan_rows_origin(&plan_shapes[set], row, origin);
}

/* One address needs no slots. The slots of a prefix, of which there is one at most, have no row. */
static void add_sources(struct plan *plan, struct fwmark mark, bool ipv4,
			const struct choice *choice)
{
	enum set_id spread = ipv4 ? SET_SPREAD4 : SET_SPREAD6;

	for (size_t i = 0; i < choice->n; i++)
		if (choice->at[i]->routed)
			add_range(plan, mark, choice->at[i], choice->origin[i]);
	if (choice->n == 1 && !choice->at[0]->routed)
		add_address(plan, ipv4 ? SET_SNAT4 : SET_SNAT6, mark, NULL, &choice->ip[0],
			    choice->origin[0]);
	for (uint32_t slot = 0; choice->n > 1 && slot < SPREAD_SLOTS; slot++) {
		size_t i = spread_choose(choice->ip, choice->n, slot);

		if (!choice->at[i]->routed)
			add_address(plan, spread, mark, &slot, &choice->ip[i], choice->origin[i]);
	}
}

static void emit_family(struct plan *plan, uint32_t binding, int family,
			const struct choice *choice)
{
	struct fwmark mark = plan->marks[binding];
	bool ipv4 = family == FAMILY_IPV4;

	for (size_t i = 0; i < choice->n; i++)
		add_own(plan, mark, choice->at[i], choice->origin[i]);
	if (plan->usability[binding].by[family] == NO_INDEX || choice->n == 0)
		return;				/* for what is alive: the guard of uplinks asks */
	if (plan_usable(plan, binding, (enum family)family))
		put_host32(plan_rows_add(plan, plan_usable_set(plan, binding,
							       (enum family)family)), mark.host);
	add_sources(plan, mark, ipv4, choice);
}

/* Where its packets are counted. Not for groups: what they lead to has another number. */
static void count_traffic(const struct model *model, struct plan *plan, uint32_t binding,
			  int family)
{
	const struct usability *usability = &plan->usability[binding];

	if (!plan->traffic || model->bindings.at[binding].group ||
	    (usability->own[family] == UNUSABLE_NO_ADDRESS && usability->by[family] == NO_INDEX))
		return;
	put_mark_family(plan_rows_add(plan, SET_SENT), plan->marks[binding], (enum family)family);
	put_mark_family(plan_rows_add(plan, SET_RECEIVED), plan->marks[binding],
			(enum family)family);
}

void plan_emit_binding(struct plan_host *host, const struct model *model, struct plan *plan,
		       uint32_t binding)
{
	struct choice choice;

	for (int f = 0; f < FAMILIES; f++) {
		uint32_t by = plan->usability[binding].by[f];

		plan_steer(host, model, plan, binding, (enum family)f);
		count_traffic(model, plan, binding, f);
		if (by == NO_INDEX && !plan_has_uplink(model, binding))
			continue;
		choose(host, model, by == NO_INDEX ? binding : by, f, by == NO_INDEX, &choice);
		emit_family(plan, binding, f, &choice);
	}
	plan_steer_answers(host, model, plan, binding);
	plan_rows_zone(plan, plan->marks[binding]);
	plan_limits_emit(model, host->facts, plan, binding);
}
