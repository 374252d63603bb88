/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one uplink has in the kernel. A table has a default route by the gateway, copies of the on-link
 * prefixes of the interface (what is next door is not sent by the gateway), and behind them an
 * unreachable default route, so that a default route that vanishes never hands the packets on to the
 * main table. A rule for each family leads there by mark.
 *
 * What is ours is known by its protocol number, and rules by their mark too.
 */
#include "daemon/plumb_parts.h"

#include "base/mem.h"
#include "daemon/log.h"

#include <string.h>

enum { METRIC_DEFAULT = 1024, METRIC_ON_LINK = 256 };

bool plumb_is_our_rule(const struct fwmark_rule *rule)
{
	return rule->protocol == PROTOCOL_OUTBIND && rule->priority >= PLUMB_FIRST &&
	       rule->priority < PLUMB_FIRST + PLUMB_SLOTS;
}

struct fwmark plumb_uplink_mark(const struct generation *of, size_t uplink)
{
	int shift = __builtin_ctz(of->model.mask.host);

	return (struct fwmark){ of->numbers[of->model.bindings.n + uplink] << shift };
}

static bool same_route(const struct route *a, const struct route *b)
{
	return a->to.bits == b->to.bits && ip_equal(&a->to.ip, &b->to.ip) &&
	       a->metric == b->metric && a->unreachable == b->unreachable &&
	       (a->unreachable || (a->link == b->link && a->gateway.len == b->gateway.len &&
				   memcmp(a->gateway.octet, b->gateway.octet,
					  a->gateway.len) == 0));
}

/* Take away what of ours should not be in a table; @wanted is empty for a table that is given up. */
static void remove_others(struct agent *agent, const struct routes *there,
			  const struct routes *wanted)
{
	for (size_t i = 0; i < there->n; i++) {
		bool keep = there->at[i].protocol != PROTOCOL_OUTBIND;

		for (size_t k = 0; k < wanted->n && !keep; k++)
			keep = same_route(&there->at[i], &wanted->at[k]);
		if (!keep)
			(void)!agent->kernel->remove_route(agent->kernel, &there->at[i]);
	}
}

void plumb_give_up_table(struct agent *agent, uint32_t table)
{
	struct routes there = { 0 }, none = { 0 };

	if (agent->kernel->read_routes(agent->kernel, table, &there) == 0)
		remove_others(agent, &there, &none);
	free(there.at);
}

bool plumb_leads_out(const struct uplink *uplink, int family)
{
	return uplink->gateways[family].len || !uplink->gateways[!family].len;
}

static void want_family(const struct agent *agent, const struct uplink *uplink, uint32_t table,
			int family, struct routes *wanted)
{
	const struct link *link = facts_link(&agent->facts, uplink->interface);
	uint8_t len = family == FAMILY_IPV4 ? 4 : 16;
	struct route route = { .to.ip.len = len, .table = table, .metric = UINT32_MAX,
			       .unreachable = true };

	PUSH(wanted, route);
	if (!link || !link->up)
		return;
	route.unreachable = false;
	route.link = link->index;
	route.metric = METRIC_ON_LINK;
	for (size_t i = 0; i < agent->facts.connected.n; i++) {
		const struct on_link *on_link = &agent->facts.connected.at[i];

		if (on_link->link != link->index || on_link->prefix.ip.len != len)
			continue;
		route.to = on_link->prefix;
		PUSH(wanted, route);
	}
	route.to = (struct prefix){ .ip.len = len };
	route.metric = METRIC_DEFAULT;
	route.gateway = uplink->gateways[family];
	/* Without any gateway the link leads out by itself; with one of the other family only, not. */
	if (plumb_leads_out(uplink, family))
		PUSH(wanted, route);
}

void plumb_make_routes(struct agent *agent, const struct uplink *uplink, uint32_t table,
			struct plumb_making *making)
{
	struct routes there = { 0 }, wanted = { 0 };

	for (int f = 0; f < FAMILIES; f++) {
		want_family(agent, uplink, table, f, &wanted);
		making->no_route[f] = wanted.n == 0 || wanted.at[wanted.n - 1].to.bits > 0 ||
				      wanted.at[wanted.n - 1].unreachable;
	}
	if (agent->kernel->read_routes(agent->kernel, table, &there) < 0)
		there.n = 0;			/* what is there will say -EEXIST */
	remove_others(agent, &there, &wanted);
	for (size_t i = 0; i < wanted.n; i++) {
		enum family family = ip_family(&wanted.at[i].to.ip);
		bool has = false;
		int r;

		for (size_t k = 0; k < there.n && !has; k++)
			has = there.at[k].protocol == PROTOCOL_OUTBIND &&
			      same_route(&there.at[k], &wanted.at[i]);
		if (has)
			continue;
		r = agent->kernel->add_route(agent->kernel, &wanted.at[i]);
		making->made += r == 0;
		if (r == 0 || r == -EEXIST)
			continue;
		making->missing++;
		if (wanted.at[i].to.bits == 0 && !wanted.at[i].unreachable) {
			making->refused[family] = r;
			making->no_route[family] = true;
		}
	}
	free(there.at);
	free(wanted.at);
}

static bool same_rule(const struct fwmark_rule *a, const struct fwmark_rule *b)
{
	return a->mark.host == b->mark.host && a->mask.host == b->mask.host &&
	       a->priority == b->priority && a->table == b->table && a->family == b->family &&
	       a->protocol == b->protocol;
}

static bool has_rule(const struct facts *facts, const struct fwmark_rule *rule)
{
	for (size_t i = 0; i < facts->fwmark_rules.n; i++)
		if (same_rule(&facts->fwmark_rules.at[i], rule))
			return true;
	return false;
}

static struct fwmark_rule rule_of(const struct generation *of, size_t index,
				  const struct plumb_uplink *uplink, int family)
{
	return (struct fwmark_rule){ .mark = plumb_uplink_mark(of, index), .mask = of->model.mask,
				     .priority = PLUMB_FIRST + uplink->slot,
				     .table = uplink->table, .family = (enum family)family,
				     .protocol = PROTOCOL_OUTBIND };
}

void plumb_make_rules(struct agent *agent, const struct generation *of, size_t index,
		       const struct plumb_uplink *uplink, struct plumb_making *making)
{
	for (int f = 0; f < FAMILIES; f++) {
		struct fwmark_rule rule = rule_of(of, index, uplink, f);
		int r;

		if (has_rule(&agent->facts, &rule))
			continue;
		r = agent->kernel->add_rule(agent->kernel, &rule);
		making->made += r == 0;
		if (r == 0)
			PUSH(&agent->facts.fwmark_rules, rule);
		if (r < 0 && r != -EEXIST) {
			making->missing++;
			making->refused[f] = r;
			making->no_route[f] = true;
		}
	}
}

/* Rules of uplinks that are no more, or have another mark or table now; and what they led to. */
void plumb_remove_rules(struct agent *agent, const struct generation *of)
{
	const struct plumb *plumb = agent->plumb;
	size_t kept = 0;

	for (size_t i = 0; i < agent->facts.fwmark_rules.n; i++) {
		struct fwmark_rule rule = agent->facts.fwmark_rules.at[i];
		bool wanted = !plumb_is_our_rule(&rule), used = false;

		for (size_t k = 0; k < plumb->uplinks.n && !wanted; k++) {
			const struct plumb_uplink *uplink = &plumb->uplinks.at[k];
			struct fwmark_rule own;

			if (!uplink->wanted)
				continue;
			own = rule_of(of, uplink->index, uplink, rule.family);
			wanted = same_rule(&rule, &own);
			used = used || uplink->table == rule.table;
		}
		if (!wanted && agent->kernel->remove_rule(agent->kernel, &rule) == 0)
			log_event(EVENT_UPLINK_REMOVED, "table=%u priority=%u family=%s",
				  rule.table, rule.priority, ip_family_name(rule.family));
		if (!wanted && !used)
			plumb_give_up_table(agent, rule.table);
		if (wanted)
			agent->facts.fwmark_rules.at[kept++] = rule;
	}
	agent->facts.fwmark_rules.n = kept;
}
