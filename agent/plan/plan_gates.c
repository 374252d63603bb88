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
	for (int set = first; set <= last; set++) {
		if (plan->sets[set].n == 0)
			continue;
		*plan_rows_add(plan, gate) = AF_INET;
		*plan_rows_add(plan, gate) = AF_INET6;
		return;
	}
}

/*
 * Whatever of these the kernel looks up in ranges of several fields, and so takes over late: a token
 * for all of it, which those who look up compare. It is only wanted where classes are asked for.
 */
static void build_token(struct plan *plan)
{
	static const enum set_id late[] = { SET_WHERE_PORT, SET_BY_USERS_TO, SET_BY_GROUPS_TO,
					    SET_BY_SOURCE4_TO, SET_BY_SOURCE6_TO };
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	unsigned __int128 sum = 0;
	uint32_t token;

	if (plan->sets[SET_QUALIFIED].n == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(late); i++)
		for (size_t row = 0; row < plan->sets[late[i]].n; row++)
			sum += plan_row_hash(late[i], plan->sets[late[i]].at +
						      row * plan_shapes[late[i]].row_len);
	token = (uint32_t)sum | 1;		/* never 0, which is what no token gives */
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		uint8_t *row = plan_rows_add(plan, SET_TOKEN);

		row[0] = families[i];
		put_host32(row + plan_shapes[SET_TOKEN].key_len, token);
		row = plan_rows_add(plan, SET_SETTLED);
		for (size_t end = 0; end < 2; end++, row += plan_shapes[SET_SETTLED].key_len)
			put_net32(row, token)[0] = families[i];	/* as nft compares ranges */
	}
}

static void build_turnable(struct plan *plan)
{
	const struct rows *ports = &plan->sets[SET_INTERCEPT_PORTS];

	for (size_t i = 0; i < ports->n; i++) {
		const uint8_t *port = ports->at + i * plan_shapes[SET_INTERCEPT_PORTS].row_len;
		uint8_t *row = plan_rows_add(plan, SET_TURNABLE);
		uint8_t *end = row + plan_shapes[SET_TURNABLE].key_len;

		row[0] = AF_INET;
		end[0] = AF_INET6;		/* and the few numbers between, which nothing has */
		memcpy(row + 4, port, 2);
		memcpy(end + 4, port + plan_shapes[SET_INTERCEPT_PORTS].key_len, 2);
	}
}

void plan_gates_build(const struct model *model, const struct facts *facts, struct plan *plan)
{
	build_unowned(model, facts, plan);
	build_qualified(plan);
	build_asked(plan, SET_BY_CGROUP_ASKED, SET_BY_CGROUP, SET_BY_CGROUP);
	build_asked(plan, SET_ASKED, SET_BY_CGROUP, SET_OTHERWISE);
	build_token(plan);
	build_turnable(plan);
	plan_rows_add(plan, SET_WHOLE)[plan_shapes[SET_WHOLE].key_len] = UINT8_MAX;	/* from 0 */
	plan_rows_zone(plan, plan->reject);
}
