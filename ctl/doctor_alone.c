/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor without an agent: its own judgements (plan/doctor*.c) of the configuration file, of addresses,
 * routes and settings, which everybody may read, and of other tables, which only root may.
 */
#include "doctor.h"

#include "kernel/kernel.h"
#include "agent.h"
#include "offline.h"
#include "plan/doctor.h"
#include "proto/varlink.h"

#include <stdio.h>
#include <string.h>

static json_t *json_or_null(const char *text)
{
	json_t *json = text ? json_string(text) : NULL;

	return json ? json : text ? json_string("(not valid UTF-8)") : json_null();
}

static json_t *json_findings(const struct findings *findings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < findings->n; i++) {
		const struct finding *finding = &findings->at[i];
		json_t *json = json_pack("{s:s, s:s, s:o, s:o, s:o}", "severity",
					 finding_severity(finding->severity), "about",
					 finding->about, "text", json_or_null(finding->text),
					 "evidence", json_or_null(finding->evidence), "remedy",
					 json_or_null(finding->remedy));

		if (finding->owner)
			(void)json_object_set_new(json, "owner", json_integer(finding->owner));
		json_array_append_new(list, json);
	}
	return list;
}

static void add_agent(const struct ctl *ctl, bool denied, struct findings *findings)
{
	finding_add(findings, SEVERITY_ERROR, "agent", "%s",
		    denied ? "the agent may not be asked: only by root and the group outbind"
			   : "the agent does not answer: health, changes at run time and what it "
			     "found by trying are unknown");
	finding_evidence(findings, "%s/%s", ctl->runtime_dir, VARLINK_SOCKET_NAME);
	finding_remedy(findings, denied ? "usermod -aG outbind USER, and log in again"
					: "systemctl start outbindd; journalctl -u outbindd -n 20");
}

/* Every problem of the configuration; true if it can be gone by. */
static bool add_configuration(const char *config, struct offline *offline,
			      struct findings *findings)
{
	int r = offline_read(config, offline);

	for (size_t i = 0; i < offline->diag.n; i++) {
		const struct diag_entry *item = &offline->diag.at[i];
		char place[4096];

		finding_add(findings,
			    item->level == DIAG_ERROR ? SEVERITY_ERROR : SEVERITY_WARNING,
			    "configuration", "%s: %s",
			    model_place(&offline->model, item->where, place, sizeof place),
			    item->text);
	}
	return r == 0;
}

/* The plan as it would be with what this host has; cgroups as offline_read() pretends them. */
static bool plan_here(struct offline *offline, struct facts *facts, struct plan *plan)
{
	if (kernel_read_facts(facts) < 0)
		return false;
	facts->cgroup_ids = offline->facts.cgroup_ids;
	offline->facts.cgroup_ids = NULL;
	return plan_build(&offline->model, offline->numbers, facts, plan, &offline->diag) == 0;
}

static void look_at_files(const struct model *model, struct host *host)
{
	for (size_t i = model->n_layers; i < model->files.n; i++)
		kernel_look(host, HOST_FILE_CONFIGURATION, model->files.at[i]);
}

json_t *doctor_alone(const struct ctl *ctl, const char *config, bool denied)
{
	AUTO(offline_drop) struct offline offline = { 0 };
	AUTO(findings_drop) struct findings findings = { 0 };
	AUTO(facts_drop) struct facts facts = { 0 };
	AUTO(plan_drop) struct plan plan = { 0 };
	AUTO(host_drop) struct host host = { 0 };
	struct doctor doctor = { .model = &offline.model, .facts = &facts, .plan = &plan,
				 .host = &host, .table = "outbind" };
	bool valid;
	json_t *list;

	add_agent(ctl, denied, &findings);
	valid = add_configuration(config, &offline, &findings);
	kernel_read_host(doctor.table, &host);
	look_at_files(&offline.model, &host);
	doctor_foreign(&doctor, &findings);
	doctor_system(&doctor, &findings);
	doctor_files(&doctor, &findings);
	if (valid && plan_here(&offline, &facts, &plan)) {
		doctor_rules(&doctor, &findings);
		doctor_bindings(&doctor, &findings);
	}
	list = json_findings(&findings);
	return json_pack("{s:o, s:I, s:I, s:b}", "findings", list, "left_out",
			 (json_int_t)findings.left_out, "rules", (json_int_t)host.foreign.rules,
			 "clock", host.clock != HOST_CLOCK_UNKNOWN);
}

void doctor_add_clock(json_t *reply)
{
	AUTO(findings_drop) struct findings findings = { 0 };
	AUTO(json_drop) json_t *list = NULL;

	doctor_clock(kernel_read_clock(), &findings);
	list = json_findings(&findings);
	(void)json_array_extend(json_object_get(reply, "findings"), list);
}
