/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Diagnose: everything that usually goes wrong, looked at now. Plan and facts are there; the host is read
 * by diagnosis.h. */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/alarm.h"
#include "daemon/diagnosis.h"
#include "daemon/sources.h"
#include "daemon/warn.h"
#include "proto/tag.h"
#include "proto/varlink.h"

#include <stdio.h>
#include <string.h>

enum { FILES_MAX = 64 };			/* of a configuration, whose rights are looked at */

static json_t *json_finding(const struct finding *finding)
{
	json_t *json = json_pack("{s:s, s:s, s:o, s:o, s:o}", "severity",
				 finding_severity(finding->severity), "about", finding->about,
				 "text", method_json(finding->text), "evidence",
				 method_json(finding->evidence), "remedy",
				 method_json(finding->remedy));

	if (finding->owner)
		json_object_set_new(json, "owner", json_integer(finding->owner));
	return json;
}

static void look_below(struct host *host, enum host_file_kind kind, const char *dir,
		       const char *name)
{
	char path[4096];

	if (snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path)
		kernel_look(host, kind, path);
}

static void look_at_files(const struct agent *agent, struct host *host)
{
	const struct options *options = agent->options;
	const struct model *model = &agent->now->model;
	char *AUTO(mem_drop) folder = mem_copy(options->config);
	char *slash = strrchr(folder, '/');

	if (slash && slash != folder) {
		*slash = '\0';
		kernel_look(host, HOST_FILE_CONFIGURATION, folder);
	}
	for (size_t i = model->n_layers; i < model->files.n && i < model->n_layers + FILES_MAX; i++)
		kernel_look(host, HOST_FILE_CONFIGURATION, model->files.at[i]);
	kernel_look(host, HOST_FILE_STATE, options->state_dir);
	kernel_look(host, HOST_FILE_RUNTIME, options->runtime_dir);
	look_below(host, HOST_FILE_CONTROL, options->runtime_dir, VARLINK_SOCKET_NAME);
	look_below(host, HOST_FILE_TAG, options->runtime_dir, TAG_SOCKET_NAME);
}

enum { REFUSED_SHOWN = 4, REFUSED_TEXT = 512 };

/* "acme from 192.0.2.1, ... and 3 more", or NULL: what the guard refused within the last minute. */
static const char *say_refused(struct agent *agent, char out[static REFUSED_TEXT])
{
	struct strays strays = { 0 };
	char ip[IP_TEXT];
	size_t len = 0, n;

	if (agent->kernel->read_strays(agent->kernel, &strays) < 0)
		strays.n = 0;
	n = strays.n;
	for (size_t i = 0; i < n && i < REFUSED_SHOWN; i++) {
		const char *name = sources_name(agent, strays.at[i].mark);

		len += (size_t)snprintf(out + len, REFUSED_TEXT - len, "%s%s from %s",
					i > 0 ? ", " : "", name ? name : "nobody",
					ip_print(&strays.at[i].source, ip));
	}
	if (n > REFUSED_SHOWN)
		(void)snprintf(out + len, REFUSED_TEXT - len, " and %zu more", n - REFUSED_SHOWN);
	free(strays.at);
	return n > 0 ? out : NULL;
}

static void judge_reload(const struct agent *agent, struct findings *findings)
{
	if (!agent->refusal[0])
		return;
	finding_add(findings, SEVERITY_WARNING, "configuration",
		    "the last reload was refused: what runs is the configuration before it");
	finding_evidence(findings, "%s", agent->refusal);
	finding_remedy(findings, "outbindctl check && outbindctl reload");
}

/* What the host is, with what the agent knows of it; files are looked at in @own. */
static json_t *judge(struct agent *agent, const struct host *host, struct host *own)
{
	const struct kernel_features *features = &agent->kernel->features;
	struct doctor doctor = warn_doctor(agent);
	AUTO(findings_drop) struct findings findings = { 0 };
	struct kernel_counters counters;
	json_t *list = json_array();
	char refused[REFUSED_TEXT];
	struct host seen = *host;		/* borrows all arrays */

	look_at_files(agent, own);
	memcpy(&seen.files, &own->files, sizeof seen.files);
	seen.features = (struct host_features){ .known = true, .owner = features->owner,
						.persist = features->persist,
						.destroy = features->destroy,
						.owned = agent_owns_table(agent) };
	doctor.host = &seen;
	if (agent->kernel->read_counters(agent->kernel, &counters) == 0)
		doctor.dropped_guard = counters.dropped_guard;
	doctor.refused = say_refused(agent, refused);
	doctor.wrong = agent->alarm ? agent->alarm->wrong : 0;
	judge_reload(agent, &findings);
	warn_findings(agent, &findings);
	doctor_foreign(&doctor, &findings);
	doctor_system(&doctor, &findings);
	doctor_files(&doctor, &findings);
	doctor_bindings(&doctor, &findings);
	for (size_t i = 0; i < findings.n; i++)
		json_array_append_new(list, json_finding(&findings.at[i]));
	return json_pack("{s:o, s:I, s:I, s:b}", "findings", list, "left_out",
			 (json_int_t)findings.left_out, "rules", (json_int_t)host->foreign.rules,
			 "clock", host->clock != HOST_CLOCK_UNKNOWN);
}

struct diagnose_stream {
	struct stream stream;
	uint64_t number;			/* of the reading that is waited for */
};

static void free_diagnose(struct stream *stream)
{
	free(stream);
}

static void next_diagnose(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct diagnose_stream *diagnose = (struct diagnose_stream *)stream;
	const struct host *host = diagnosis_host(agent->diagnosis, diagnose->number);
	AUTO(host_drop) struct host own = { 0 };

	ret->waits = !host;
	if (host)
		ret->parameters = judge(agent, host, &own);
}

void method_diagnose(struct call *call)
{
	struct agent *agent = call->agent;
	AUTO(host_drop) struct host host = { 0 };
	AUTO(host_drop) struct host own = { 0 };
	struct diagnose_stream *diagnose;

	if (!agent->diagnosis) {
		agent->kernel->read_host(agent->kernel, &host);
		method_reply(call, judge(agent, &host, &own));
		return;
	}
	diagnose = mem_zero(1, sizeof *diagnose);
	diagnose->stream = (struct stream){ .next = next_diagnose, .free = free_diagnose };
	diagnose->number = diagnosis_want(agent->diagnosis);
	method_stream(call, &diagnose->stream);
}
