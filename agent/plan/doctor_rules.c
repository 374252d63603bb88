/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A routing rule on a mark of ours may be meant (it steers a binding's packets), or be another
 * program's use of the same bits; only the operator can tell. */
#include "plan/doctor.h"

#include <inttypes.h>

void doctor_rules(const struct doctor *doctor, struct findings *findings)
{
	uint32_t mask = doctor->model->mask.host;

	for (size_t i = 0; i < doctor->facts->fwmark_rules.n; i++) {
		const struct fwmark_rule *rule = &doctor->facts->fwmark_rules.at[i];
		const char *version = rule->family == FAMILY_IPV4 ? "4" : "6";

		if (rule->protocol == PROTOCOL_OUTBIND || !(rule->mask.host & mask))
			continue;
		finding_add(findings, SEVERITY_WARNING, "mark-overlap",
			    "IPv%s routing rule with priority %" PRIu32 " looks at mark 0x%x/0x%x, which "
			    "overlaps mark-mask 0x%x: packets of a binding may take its table", version,
			    rule->priority, rule->mark.host, rule->mask.host, mask);
		finding_evidence(
			findings,
			"ip -%s rule: priority %" PRIu32 " fwmark 0x%x/0x%x lookup %" PRIu32,
			version, rule->priority, rule->mark.host, rule->mask.host, rule->table);
		finding_remedy(findings,
			       "ip -%s rule del priority %" PRIu32 ", and add it with a mask beside 0x%x, "
			       "unless it is meant", version, rule->priority, mask);
	}
}
