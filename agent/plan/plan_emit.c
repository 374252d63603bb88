/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a binding leaves from, as rows: usable, snat, spread, own and zone. A binding that is
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
	SET_USABLE4,
	SET_USABLE6,
	SET_LIMITED4,
	SET_LIMITED6,
	SET_LIMIT_CONNECTIONS,
	SET_LIMIT_NEW,
	SET_CONNECTIONS_TO,
	SET_NEW_TO,
	SET_OVERFLOW,
	SET_OVERFLOWS,
	SET_MEMBERS,
	SET_SNAT4,
	SET_SNAT6,
	SET_SPREAD4,
	SET_SPREAD6,
	SET_OWN4,
	SET_OWN6,
	SET_STEER,
	SET_HAS_UPLINK,
	SET_STEER_TO,
	SET_STEER_BIT,
	SET_VIA,
	SET_ANSWER,
	SET_ZONE,
	SETS,
};

struct choice {					/* addresses of one binding and family that count */
	struct ip ip[ADDRESSES_MAX];
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

static void choose(struct plan_host *host, const struct model *model, uint32_t index, int family,
		   struct choice *ret)
{
	const struct binding *binding = &model->bindings.at[index];

	ret->n = 0;
	for (uint32_t i = 0; i < binding->n_addresses && ret->n < ADDRESSES_MAX; i++) {
		uint32_t origin = binding->first_address + i;
		const struct ip *ip = &model->addresses.at[origin].ip;

		if ((int)ip_family(ip) != family || chosen(ret, ip) ||
		    plan_usable_address(host, model, origin) != USABLE)
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

static void emit_family(struct plan *plan, uint32_t binding, int family,
			const struct choice *choice)
{
	struct fwmark mark = plan->marks[binding];
	bool ipv4 = family == FAMILY_IPV4;

	if (choice->n == 0)
		return;
	if (plan_usable(plan, binding, (enum family)family))
		put_host32(plan_rows_add(plan, plan_usable_set(plan, binding,
							       (enum family)family)), mark.host);
	for (size_t i = 0; i < choice->n; i++)
		add_address(plan, ipv4 ? SET_OWN4 : SET_OWN6, mark, NULL, &choice->ip[i],
			    choice->origin[i]);
	if (plan->usability[binding].by[family] == NO_INDEX)
		return;				/* for what is alive: the guard of uplinks asks */
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

void plan_emit_binding(struct plan_host *host, const struct model *model, struct plan *plan,
		       uint32_t binding)
{
	struct choice choice;

	for (int f = 0; f < FAMILIES; f++) {
		uint32_t by = plan->usability[binding].by[f];

		plan_steer(host, model, plan, binding, (enum family)f);
		if (by == NO_INDEX && !plan_has_uplink(model, binding))
			continue;
		choose(host, model, by == NO_INDEX ? binding : by, f, &choice);
		emit_family(plan, binding, f, &choice);
	}
	plan_steer_answers(host, model, plan, binding);
	plan_rows_zone(plan, plan->marks[binding]);
	plan_limits_emit(model, plan, binding);
}
