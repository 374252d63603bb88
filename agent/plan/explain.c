/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chains of nft-templates/ once more, over a plan instead of the kernel's sets: same order,
 * same keys, first hit decides. Each question is noted with its key and what the plan has there, so
 * that the caller can ask the kernel the same ones and compare.
 */
#include "plan/explain.h"

#include "plan/explain_parts.h"
#include "plan/plan_groups.h"
#include "plan/plan_rows.h"
#include "plan/spread.h"

#include <assert.h>

const uint8_t *explain_ask(struct asking *asking, enum set_id set, const uint8_t *key)
{
	struct lookup *lookup = &asking->out->lookups[asking->out->n_lookups++];

	assert(asking->out->n_lookups <= ARRAY_LEN(asking->out->lookups));
	lookup->set = set;
	memcpy(lookup->key, key, plan_shapes[set].key_len);
	lookup->row = plan_find(asking->plan, set, key);
	return lookup->row;
}

static uint32_t value_of(enum set_id set, const uint8_t *row)
{
	return get_host32(row_value(&plan_shapes[set], row));
}

static bool is_bypassed(struct asking *asking)
{
	enum set_id set = asking->ipv4 ? SET_BYPASS4 : SET_BYPASS6;
	const uint8_t *row = explain_ask(asking, set, asking->packet->to.octet);

	if (!row)
		return false;
	asking->out->verdict = VERDICT_BYPASS;
	asking->out->bypass = row_origin(&plan_shapes[set], row);
	return true;
}

static bool has_port(uint8_t protocol)
{
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP || protocol == PROTOCOL_SCTP ||
	       protocol == PROTOCOL_DCCP || protocol == PROTOCOL_UDPLITE;
}

static void classify(struct asking *asking)
{
	enum set_id to = asking->ipv4 ? SET_TO4 : SET_TO6;
	enum set_id where = SET_WHERE_PORT;
	const uint8_t *row = explain_ask(asking, to, asking->packet->to.octet);
	uint8_t key[KEY_MAX] = { 0 };

	put_net32(key, row ? value_of(to, row) : 0);
	key[4] = asking->packet->protocol;
	put_place(key + 8, asking->packet->port, 2);
	row = has_port(asking->packet->protocol) ? explain_ask(asking, where, key) : NULL;
	if (!row) {
		where = SET_WHERE_PROTOCOL;
		row = explain_ask(asking, where, key);
	}
	asking->class = row ? value_of(where, row) : 0;
}

/* A client's maps: the one with the class first (@plain + 1), then the plain one. */
static const uint8_t *ask_client(struct asking *asking, enum set_id plain, const uint8_t *client,
				 size_t len)
{
	enum set_id set = plain + 1;
	const uint8_t *row = NULL;
	uint8_t key[KEY_MAX] = { 0 };

	memcpy(key, client, len);
	if (asking->class != 0) {
		if (plan_shapes[set].interval)
			put_net32(key + len, asking->class);
		else
			put_host32(key + len, asking->class);
		row = explain_ask(asking, set, key);
	}
	if (!row) {
		set = plain;
		row = explain_ask(asking, set, key);
	}
	if (!row)
		return NULL;
	asking->out->rule = row_origin(&plan_shapes[set], row);
	return row_value(&plan_shapes[set], row);
}

static const uint8_t *ask_cgroups(struct asking *asking)
{
	const struct packet *packet = asking->packet;
	const uint8_t *value = NULL;
	size_t n = explain_depth(packet);
	uint8_t key[8];

	for (size_t i = n > CGROUP_LEVELS ? n - CGROUP_LEVELS : 0; i < n && !value; i++) {
		put_host64(key, packet->cgroups[i]);
		value = ask_client(asking, SET_BY_CGROUP, key, sizeof key);
	}
	return value;
}

static const uint8_t *ask_id(struct asking *asking, enum set_id one, enum set_id ranges,
			     uint32_t id)
{
	const uint8_t *value;
	uint8_t key[4];

	put_host32(key, id);
	value = ask_client(asking, one, key, sizeof key);
	put_net32(key, id);
	return value ? value : ask_client(asking, ranges, key, sizeof key);
}

static const uint8_t *ask_otherwise(struct asking *asking)
{
	const uint8_t *row = NULL;
	uint8_t key[4];

	put_host32(key, asking->class);
	if (asking->class != 0)
		row = explain_ask(asking, SET_OTHERWISE, key);
	if (!row) {
		put_host32(key, 0);
		row = explain_ask(asking, SET_OTHERWISE, key);
	}
	if (!row)
		return NULL;
	asking->out->rule = row_origin(&plan_shapes[SET_OTHERWISE], row);
	asking->out->by_default = asking->out->rule == NO_INDEX;
	return row_value(&plan_shapes[SET_OTHERWISE], row);
}

/* The mark for a local sender, or NULL. */
static const uint8_t *ask_local(struct asking *asking)
{
	const struct packet *packet = asking->packet;
	const uint8_t *value = ask_cgroups(asking);

	if (!value && packet->has_uid)
		value = ask_id(asking, SET_BY_USER, SET_BY_USERS, packet->uid);
	if (!value && packet->has_gid)
		value = ask_id(asking, SET_BY_GROUP, SET_BY_GROUPS, packet->gid);
	return value ? value : ask_otherwise(asking);
}

/* Is what the packet leaves from already the binding's own: then it stays. */
static bool has_own(struct asking *asking)
{
	const struct ip *source = &asking->packet->source;
	uint8_t key[KEY_MAX] = { 0 };

	if (source->len != asking->packet->to.len)
		return false;
	asking->out->source = *source;
	put_ip(put_host32(key, asking->out->mark.host), source);
	if (explain_ask(asking, asking->ipv4 ? SET_OWN4 : SET_OWN6, key))
		return true;
	put_net32(key, asking->out->mark.host);
	return explain_ask(asking, asking->ipv4 ? SET_OWN_RANGE4 : SET_OWN_RANGE6, key);
}

/* Which address of a routed prefix cannot be said in advance: it depends on the conntrack zone too. */
static void rewrite_within(struct asking *asking, const uint8_t *key)
{
	enum set_id set = asking->ipv4 ? SET_RANGE4 : SET_RANGE6;
	struct explanation *out = asking->out;
	const uint8_t *row = explain_ask(asking, set, key), *value;
	uint8_t len = asking->packet->to.len, bits = 0;

	if (!row) {
		out->verdict = VERDICT_UNUSABLE;
		return;
	}
	value = row_value(&plan_shapes[set], row);
	while (bits < len * 8 && ((value[bits / 8] ^ value[len + bits / 8]) >> (7 - bits % 8)) == 0)
		bits++;
	memcpy(out->source.octet, value, len);
	out->within = (struct prefix){ out->source, bits };
}

/* What a binding's packet leaves from: what it has, if that is the binding's own; else by map. */
static void rewrite(struct asking *asking)
{
	struct explanation *out = asking->out;
	enum set_id set = asking->ipv4 ? SET_SPREAD4 : SET_SPREAD6;
	uint8_t key[KEY_MAX] = { 0 };
	const uint8_t *row;

	if (has_own(asking))
		return;
	put_host32(key, out->mark.host);
	put_host32(key + 4, spread_slot(&asking->packet->to));
	row = explain_ask(asking, set, key);
	if (!row) {
		set = asking->ipv4 ? SET_SNAT4 : SET_SNAT6;
		row = explain_ask(asking, set, key);
	}
	out->source = (struct ip){ .len = asking->packet->to.len };
	if (row)
		memcpy(out->source.octet, row_value(&plan_shapes[set], row), out->source.len);
	else
		rewrite_within(asking, key);
}

/* The binding that has @mark, or NO_INDEX. */
static uint32_t binding_of(const struct plan *plan, struct fwmark mark)
{
	for (uint32_t i = 0; i < plan->n_bindings; i++)
		if (plan->marks[i].host == mark.host)
			return i;
	return NO_INDEX;
}

/* The slot of a sticky group's packet; false if what it depends on is not known. */
static bool sticky_slot(const struct packet *packet, enum pick pick, uint32_t *ret)
{
	const struct ip *by = pick == PICK_TO ? &packet->to : &packet->source;
	uint8_t uid[4];

	if (pick == PICK_CLIENT && packet->source.len == 0) {
		put_host32(uid, packet->uid);
		*ret = spread_hash(uid, sizeof uid, SHARE_SLOTS);
		return packet->has_uid;
	}
	*ret = spread_hash(by->octet, by->len, SHARE_SLOTS);
	return true;
}

/* The chain `pick`: the member's mark, or 0 with the verdict. */
static struct fwmark pick(struct asking *asking, const struct plan_group *group)
{
	enum family family = asking->ipv4 ? FAMILY_IPV4 : FAMILY_IPV6;
	enum set_id set = plan_groups_set(group->pick, family);
	struct fwmark member = { 0 };
	uint8_t key[KEY_MAX] = { 0 };
	const uint8_t *row;
	uint32_t slot = 0;
	bool known = share_is_sticky(group->pick) &&
		     sticky_slot(asking->packet, group->pick, &slot);

	asking->out->group = group->binding;
	put_host32(put_host32(key, asking->plan->marks[group->binding].host), slot);
	row = explain_ask(asking, set, key);
	asking->out->verdict = row ? VERDICT_MEMBER : VERDICT_UNUSABLE;
	if (row && known)
		member.host = get_host32(row_value(&plan_shapes[set], row));
	return member;
}

/* The chain `judge`, one step: is @mark usable, with or without limits? */
static bool ask_usable(struct asking *asking, struct fwmark mark)
{
	uint8_t key[4];

	put_host32(key, mark.host);
	if (explain_ask(asking, asking->ipv4 ? SET_USABLE4 : SET_USABLE6, key))
		return true;
	if (!explain_ask(asking, asking->ipv4 ? SET_LIMITED4 : SET_LIMITED6, key))
		return false;
	asking->out->limited = true;
	return true;
}

/* From a mark to the end: who has it, a member if it is a group's, whether that is usable. */
static void follow_mark(struct asking *asking, struct fwmark mark)
{
	struct explanation *out = asking->out;
	uint32_t group;

	out->mark = mark;
	out->binding = binding_of(asking->plan, mark);
	group = plan_groups_find(asking->plan, out->binding);
	if (group != NO_INDEX) {
		if (asking->plan->limited[out->binding])
			(void)ask_usable(asking, mark);
		mark = pick(asking, &asking->plan->groups[group]);
		if (mark.host == 0)
			return;
		out->mark = mark;
		out->binding = binding_of(asking->plan, mark);
	}
	if (ask_usable(asking, mark)) {
		out->verdict = VERDICT_BINDING;
		rewrite(asking);
	} else {
		out->verdict = out->binding == NO_INDEX ? VERDICT_UNKNOWN_MARK : VERDICT_UNUSABLE;
	}
}

static void follow_value(struct asking *asking, const uint8_t *value)
{
	struct fwmark mark;

	if (!value) {
		asking->out->verdict = VERDICT_UNASSIGNED;
		return;
	}
	mark.host = get_host32(value);
	if (mark.host == asking->plan->pass.host)
		asking->out->verdict = VERDICT_PASS;
	else if (mark.host == asking->plan->reject.host)
		asking->out->verdict = VERDICT_REJECT;
	else
		follow_mark(asking, mark);
}

static void explain_local(struct asking *asking)
{
	struct fwmark mark = { asking->packet->mark.host & asking->plan->mask.host };

	if (is_bypassed(asking))
		return;
	if (mark.host != 0) {
		follow_mark(asking, mark);
		return;
	}
	if (explain_intercept(asking))
		return;
	classify(asking);
	follow_value(asking, ask_local(asking));
}

static void explain_forwarded(struct asking *asking)
{
	const struct ip *source = &asking->packet->source;

	asking->out->verdict = VERDICT_UNASSIGNED;
	if (source->len != asking->packet->to.len)
		return;
	if (explain_intercept(asking)) {
		if (is_bypassed(asking))
			asking->out->intercept = NO_INDEX;
		return;
	}
	if (!explain_ask(asking, asking->ipv4 ? SET_SOURCES4 : SET_SOURCES6, source->octet))
		return;
	if (is_bypassed(asking))
		return;
	classify(asking);
	follow_value(asking, ask_client(asking, asking->ipv4 ? SET_BY_SOURCE4 : SET_BY_SOURCE6,
					source->octet, source->len));
}

bool explain_to_local(const struct facts *facts, const struct ip *to)
{
	static const struct prefix loopback[] = {
		{ { { 127 }, 4 }, 8 },
		{ { { [15] = 1 }, 16 }, 128 },
	};

	for (size_t i = 0; i < ARRAY_LEN(loopback); i++)
		if (prefix_contains(&loopback[i], to))
			return true;
	for (size_t i = facts_address(facts, to, 0);
	     i < facts->addresses.n && ip_equal(&facts->addresses.at[i].ip, to); i++)
		/* the kernel has no local route yet while it looks for duplicates */
		if (!facts->addresses.at[i].tentative && !facts->addresses.at[i].duplicate)
			return true;
	for (size_t i = 0; i < facts->local.n; i++)
		if (prefix_contains(&facts->local.at[i], to))
			return true;
	return false;
}

void explain_packet(const struct model *model, const struct plan *plan, const struct packet *packet,
		    struct explanation *ret)
{
	struct asking asking = { .plan = plan, .packet = packet, .out = ret,
				 .ipv4 = packet->to.len == 4 };

	(void)model;				/* the plan alone answers, as in the kernel */
	*ret = (struct explanation){ .rule = NO_INDEX, .binding = NO_INDEX, .bypass = NO_INDEX,
				      .group = NO_INDEX, .intercept = NO_INDEX };
	if (packet->to_local)			/* `oif lo`, `fib daddr type local` */
		ret->verdict = VERDICT_LOCAL;
	else if (packet->source.len == 0)
		explain_local(&asking);
	else
		explain_forwarded(&asking);
}
