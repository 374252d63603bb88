/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a session can be decided: as early as what all rules that may apply at its listener look at. It
 * is gathered once, a bit for each key, for the rules of everywhere and for those of each listener;
 * the earlier the upstream is there, the more of its own replies the client gets.
 */
#include "relay/policy_index.h"

#include <string.h>

static size_t number_by_name(const struct policy *policy, const char *name)
{
	const struct relay *relay = &policy->model->relay;
	size_t i = 0;

	while (i < relay->listeners.n && relay->listeners.at[i].name != name)
		i++;
	return i;
}

/* A binding that is not in the files may be a group that was made at run time. */
static bool may_be_group(const struct policy *policy, const char *binding)
{
	uint32_t found = model_find(policy->model, binding);

	return found == NO_INDEX || policy->model->bindings.at[found].group;
}

void policy_point_add(struct policy *policy, const struct relay_rule *rule)
{
	const char *where = rule->key == RELAY_KEY_LISTENER ? rule->text : rule->listener;
	struct demand *demand = &policy->everywhere;
	size_t number = where ? number_by_name(policy, where) : 0;

	if (where && number == policy->model->relay.listeners.n)
		return;
	if (where)
		demand = &policy->at[number];
	demand->keys |= 1u << rule->key;
	if (!rule->binding)
		return;
	demand->by_mx |= !rule->smarthost.host && !policy_index_hop(&policy->index, rule->binding);
	demand->group = demand->group || may_be_group(policy, rule->binding);
}

const char *policy_point_name(enum point point)
{
	static const char *const names[POINTS] = {
		[POINT_ACCEPT] = "accept", [POINT_HELLO] = "hello", [POINT_MAIL] = "mail",
		[POINT_RCPT] = "rcpt",	   [POINT_HEADER] = "header",
	};

	return names[point];
}

static struct demand demand_at(const struct policy *policy, const struct relay_listener *listener)
{
	const struct relay *relay = &policy->model->relay;
	struct demand demand = policy->everywhere;
	struct demand here = policy->at[policy_listener_number(policy, listener)];
	const struct relay_host *hop = policy_index_hop(&policy->index, DEFAULT_BINDING);

	demand.keys |= here.keys;
	demand.by_mx |= here.by_mx;
	demand.group |= here.group;
	if (listener->trust_parameter || listener->trust_header || relay->policy_map.name)
		demand.by_mx = demand.group = true;
	if (!(demand.keys & 1u << RELAY_KEY_OTHERWISE) && policy->default_normal && !hop)
		demand.by_mx = true;
	if (listener->smarthost.host || relay->smarthost.host)
		demand.by_mx = false;
	return demand;
}

static enum point later(enum point a, enum point b)
{
	return a > b ? a : b;
}

enum point policy_point(const struct policy *policy, const struct relay_listener *listener)
{
	bool mail = listener->protocol == RELAY_SMTP || listener->protocol == RELAY_LMTP;
	bool logs_in = listener->auth_file || listener->auth_socket;
	struct demand demand = demand_at(policy, listener);
	enum point point = POINT_ACCEPT;

	if (listener->protocol == RELAY_SOCKS5 || listener->protocol == RELAY_PROXY)
		return POINT_ACCEPT;
	if (mail && listener->trust_header)
		return POINT_HEADER;
	if (demand.keys & 1u << RELAY_KEY_HELO)
		point = POINT_HELLO;
	if (demand.keys & 1u << RELAY_KEY_SENDER || listener->trust_parameter ||
	    policy->model->relay.policy_map.name ||
	    (logs_in && demand.keys & 1u << RELAY_KEY_USER) || (mail && demand.group))
		point = later(point, POINT_MAIL);
	if (demand.keys & 1u << RELAY_KEY_RECIPIENT || (mail && demand.by_mx) ||
	    listener->protocol == RELAY_LMTP)
		point = later(point, POINT_RCPT);
	return point;
}
