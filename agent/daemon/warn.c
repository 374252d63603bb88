/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See warn.h. A routing rule on a mark of ours may be meant (it steers a binding's packets), or be
 * another program's use of the same bits; only the operator can tell. */
#include "daemon/warn.h"

#include "daemon/log.h"

#include <stdio.h>

static bool overlaps(const struct agent *agent, const struct fwmark_rule *rule)
{
	return rule->protocol != PROTOCOL_OUTBIND &&
	       (rule->mask.host & agent->now->model.mask.host) != 0;
}

bool warn_overlap(const struct agent *agent, size_t index, char ret_text[static OUTCOME_TEXT])
{
	for (size_t i = 0; i < agent->facts.fwmark_rules.n; i++) {
		const struct fwmark_rule *rule = &agent->facts.fwmark_rules.at[i];

		if (!overlaps(agent, rule) || index-- > 0)
			continue;
		snprintf(ret_text, OUTCOME_TEXT,
			 "%s routing rule with priority %u looks at mark 0x%x/0x%x, which overlaps "
			 "mark-mask 0x%x: packets of a binding may take its table",
			 rule->family == FAMILY_IPV4 ? "IPv4" : "IPv6", rule->priority,
			 rule->mark.host, rule->mask.host, agent->now->model.mask.host);
		return true;
	}
	return false;
}

void warn_overlaps(const struct agent *agent)
{
	for (size_t i = 0; i < agent->facts.fwmark_rules.n; i++) {
		const struct fwmark_rule *rule = &agent->facts.fwmark_rules.at[i];

		if (overlaps(agent, rule))
			log_event(EVENT_MARK_OVERLAP,
				  "family=%s priority=%u mark=0x%x/0x%x ours=0x%x table=%u",
				  rule->family == FAMILY_IPV4 ? "ipv4" : "ipv6", rule->priority,
				  rule->mark.host, rule->mask.host, agent->now->model.mask.host,
				  rule->table);
	}
}
