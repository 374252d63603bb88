/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See warn.h. Judged in plan/doctor*.c; here is what only the agent knows of itself. */
#include "daemon/warn.h"

#include "daemon/log.h"
#include "daemon/plumb.h"

struct doctor warn_doctor(const struct agent *agent)
{
	return (struct doctor){ .model = &agent->now->model, .facts = &agent->facts,
				.plan = &agent->now->plan, .table = agent->options->kernel.table };
}

void warn_findings(const struct agent *agent, struct findings *findings)
{
	struct doctor doctor = warn_doctor(agent);

	doctor_rules(&doctor, findings);
	plumb_findings(agent, findings);
	for (size_t i = 0; i < agent->warnings.n; i++)
		finding_add(findings, SEVERITY_WARNING, "configuration", "%s: %s",
			    agent->warnings.at[i].place, agent->warnings.at[i].text);
	if (!agent->cgroups) {
		finding_add(findings, SEVERITY_WARNING, "kernel",
			    "no cgroup2 file system: rules for units and cgroups match nothing");
		finding_remedy(findings, "mount -t cgroup2 none /sys/fs/cgroup");
	}
	if (agent->stale)
		finding_add(findings, SEVERITY_ERROR, "table",
			    "the last change of addresses, routes or cgroups is not in the kernel yet");
	if (agent->suspect)
		finding_add(findings, SEVERITY_ERROR, "table",
			    "the table in the kernel is not what it should be, and could not be restored "
			    "yet");
}

void warn_overlaps(const struct agent *agent)
{
	for (size_t i = 0; i < agent->facts.fwmark_rules.n; i++) {
		const struct fwmark_rule *rule = &agent->facts.fwmark_rules.at[i];

		if (rule->protocol != PROTOCOL_OUTBIND &&
		    (rule->mask.host & agent->now->model.mask.host) != 0)
			log_event(EVENT_MARK_OVERLAP,
				  "family=%s priority=%u mark=0x%x/0x%x ours=0x%x table=%u",
				  ip_family_name(rule->family), rule->priority,
				  rule->mark.host, rule->mask.host, agent->now->model.mask.host,
				  rule->table);
	}
}
