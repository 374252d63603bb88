/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nobody's policy asks need not be looked up for every packet: one element in a set of gates
 * opens a chain of nft-templates/.
 */
#include "plan/plan_gates.h"

#include "plan/plan_rows.h"

#include <sys/socket.h>

/* As soon as a rule asks who sends: TCP of sockets that nobody owns any more, see the template. */
static void build_unowned(const struct model *model, const struct facts *facts, struct plan *plan)
{
	bool asked = facts->n_execs > 0;

	for (size_t i = 0; i < model->rules.n && !asked; i++)
		asked = model->rules.at[i].client.kind == CLIENT_CGROUP ||
			model->rules.at[i].client.kind == CLIENT_USER ||
			model->rules.at[i].client.kind == CLIENT_GROUP;
	if (asked)
		*plan_rows_add(plan, SET_UNOWNED) = PROTOCOL_TCP;
	if (plan->n_bindings > 0) {		/* some flow may have a zone of its own */
		*plan_rows_add(plan, SET_UNOWNED) = PROTOCOL_ICMP;
		*plan_rows_add(plan, SET_UNOWNED) = PROTOCOL_ICMPV6;
	}
}

/* Protocols that some class of destinations is about. */
static void build_qualified(struct plan *plan)
{
	bool seen[256] = { false };

	for (int set = SET_WHERE_PORT; set <= SET_WHERE_PROTOCOL; set++) {
		const struct set_shape *shape = &plan_shapes[set];

		for (size_t i = 0; i < plan->sets[set].n; i++) {
			const uint8_t *row = plan->sets[set].at + i * shape->row_len;

			for (unsigned p = row[4]; p <= row[shape->key_len + 4]; p++)
				seen[p] = true;		/* after the label, the protocol */
		}
	}
	for (unsigned p = 0; p < ARRAY_LEN(seen); p++)
		if (seen[p])
			*plan_rows_add(plan, SET_QUALIFIED) = (uint8_t)p;
}

/* Both families, as nfproto, if one of the sets from @first to @last has anything. */
static void build_asked(struct plan *plan, enum set_id gate, int first, int last)
{
	if (plan->sets[gate].n)
		return;
	for (int set = first; set <= last; set++) {
		if (plan->sets[set].n == 0)
			continue;
		*plan_rows_add(plan, gate) = AF_INET;
		*plan_rows_add(plan, gate) = AF_INET6;
		return;
	}
}

/* The one element has all families and protocols: each field from 0 to 255. */
static void build_whole(struct plan *plan)
{
	uint8_t *end = plan_rows_add(plan, SET_WHOLE) + plan_shapes[SET_WHOLE].key_len;

	end[0] = end[4] = UINT8_MAX;
}

void plan_gates_build(const struct model *model, const struct facts *facts, struct plan *plan)
{
	build_unowned(model, facts, plan);
	build_qualified(plan);
	build_asked(plan, SET_BY_CGROUP_ASKED, SET_BY_CGROUP, SET_BY_CGROUP);
	build_asked(plan, SET_ASKED, SET_BY_CGROUP, SET_OTHERWISE);
	build_asked(plan, SET_ASKED_FORWARDED, SET_SOURCES4, SET_SOURCES6);
	build_asked(plan, SET_ASKED_FORWARDED, SET_TURNED_SOURCE4, SET_INTERCEPT_SOURCE6);
	build_whole(plan);
	plan_rows_zone(plan, plan->reject);
}
