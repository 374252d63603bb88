/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What agent and relay say of themselves, and the configuration: see report.h. */
#include "agent.h"
#include "base/mem.h"
#include "doctor.h"
#include "offline.h"
#include "relay.h"
#include "report.h"
#include "reply.h"

#include <string.h>

enum { FILES_MAX = 40 };			/* of a configuration */

static void add_json(struct report *report, const char *path, const json_t *json, size_t max)
{
	char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);

	if (!text) {
		report_leave_out(report, path, "it could not be written as JSON");
		return;
	}
	report_add(report, path, text, max, NULL);
	free(text);
}

/* Without comments and values that are not for others; true if there was one at @path. */
static void add_configuration(struct report *report, const char *path, size_t index)
{
	char *AUTO(mem_drop) text = NULL, *clean = NULL;
	char name[64], *note = NULL;
	size_t len, size = 0;
	FILE *out;
	int r = conf_system.read_file(conf_system.context, path, &text, &len);

	(void)snprintf(name, sizeof name, "configuration/%zu", index);
	if (r < 0) {
		report_leave_out(report, name, "%s: %s", path, strerror(-r));
		return;
	}
	out = open_memstream(&clean, &size);
	if (!out)
		abort();
	redact_configuration(&report->redact, text, out);
	if (fclose(out) != 0)
		abort();
	if (asprintf(&note, "%s without comments and secrets", path) < 0)
		abort();
	report_add(report, name, clean, REPORT_MEMBER_MAX, note);
	free(clean);
	free(note);
}

void report_gather_configuration(struct report *report)
{
	AUTO(offline_drop) struct offline offline = { 0 };
	size_t n = 0;

	if (offline_read(report->config, &offline) < 0)
		report_leave_out(report, "configuration/problems",
				 "it is not valid; `outbindctl check` says why");
	else
		report->no_relay = !offline.model.relay.given;
	for (size_t i = 0; i < offline.model.files.n && n < FILES_MAX; i++)
		add_configuration(report, offline.model.files.at[i], n++);
	if (offline.model.files.n == 0)
		add_configuration(report, report->config, n);
	if (offline.model.files.n > FILES_MAX)
		report_leave_out(report, "configuration/...", "%zu more files",
				 offline.model.files.n - FILES_MAX);
}

static const char *why(int r)
{
	return r == CTL_UNREACHABLE ? "it does not answer"
	       : r == CTL_DENIED    ? "only root and the group outbind may ask"
				    : "it refused, or is of another version";
}

/* One question that the agent answers at once. */
static void ask(struct report *report, const char *path, const char *method)
{
	AUTO(json_drop) json_t *reply = NULL;
	int r = agent_ask_quietly(report->ctl, method, NULL, &reply);

	if (r == CTL_DONE)
		add_json(report, path, reply, REPORT_MEMBER_MAX);
	else
		report_leave_out(report, path, "the agent: %s", why(r));
}

struct pieces {
	FILE *out;
	size_t n, max;
	const char *key;
};

/* Texts, or items of a list, as they come; beyond the bound they are dropped. */
static void take_piece(void *context, json_t *reply)
{
	struct pieces *pieces = context;
	const json_t *items = pieces->key ? json_object_get(reply, pieces->key) : NULL;
	const char *text = reply_text(reply, "text");

	if (!pieces->key && pieces->n <= pieces->max) {
		(void)fputs(text, pieces->out);
		pieces->n += strlen(text);
	}
	for (size_t i = 0; i < json_array_size(items) && pieces->n <= pieces->max; i++) {
		char *line = json_dumps(json_array_get(items, i), JSON_COMPACT);

		if (!line)
			continue;
		(void)fprintf(pieces->out, "%s\n", line);
		pieces->n += strlen(line) + 1;
		free(line);
	}
}

static void ask_pieces(struct report *report, const char *path, const char *method, const char *key,
		       size_t max, bool configuration)
{
	char *AUTO(mem_drop) text = NULL, *AUTO(mem_drop) clean = NULL;
	struct pieces pieces = { .max = max, .key = key };
	size_t size, clean_size;
	FILE *out;
	int r;

	pieces.out = open_memstream(&text, &size);
	if (!pieces.out)
		abort();
	r = agent_call_quietly(report->ctl, method, NULL, take_piece, &pieces);
	if (fclose(pieces.out) != 0)
		abort();
	if (r != CTL_DONE) {
		report_leave_out(report, path, "the agent: %s", why(r));
		return;
	}
	if (!configuration) {
		report_add(report, path, text, max, NULL);
		return;
	}
	out = open_memstream(&clean, &clean_size);
	if (!out)
		abort();
	redact_configuration(&report->redact, text, out);
	if (fclose(out) != 0)
		abort();
	report_add(report, path, clean, max, "changes at run time, as configuration");
}

/* Judging takes the agent longer than what is asked quietly may take: as patient as doctor, but mute. */
static void add_doctor(struct report *report)
{
	FILE *nowhere = fopen("/dev/null", "we");
	AUTO(json_drop) json_t *reply = NULL;
	struct ctl mute = *report->ctl;
	int r = CTL_REFUSED;

	if (nowhere) {
		mute.err = nowhere;
		mute.json = mute.progress = false;
		r = doctor_ask(&mute, report->config, &reply);
		(void)fclose(nowhere);
	}
	if (r == CTL_DONE)
		add_json(report, "doctor.json", reply, REPORT_MEMBER_MAX);
	else
		report_leave_out(report, "doctor.json", "the agent: %s", why(r));
}

/* One that nobody configured is asked all the same: it may run with another configuration. */
static void add_relay(struct report *report)
{
	AUTO(json_drop) json_t *reply = NULL;
	int r = relay_ask_quietly(report->ctl, NULL, "GetStatus", NULL, &reply);

	if (r == CTL_DONE)
		add_json(report, "relay.json", reply, REPORT_MEMBER_MAX);
	else
		report_leave_out(report, "relay.json", "the relay: %s",
				 report->no_relay && !relay_listens(report->ctl)
					 ? "the configuration has none" : why(r));
}

void report_gather_agent(struct report *report)
{
	ask_pieces(report, "runtime.conf", "GetRuntime", NULL, REPORT_MEMBER_MAX, true);
	ask(report, "status.json", "GetStatus");
	add_doctor(report);
	ask_pieces(report, "health.json", "Health", "health", REPORT_MEMBER_MAX, false);
	ask_pieces(report, "bindings.json", "ListBindings", "bindings", REPORT_MEMBER_MAX, false);
	ask_pieces(report, "policy.json", "ListPolicy", "rules", REPORT_MEMBER_MAX, false);
	ask_pieces(report, "events.json", "ListEvents", "events", REPORT_MEMBER_MAX, false);
	ask_pieces(report, "ruleset.nft", "Render", NULL, REPORT_RULESET_MAX, false);
	add_relay(report);
}
