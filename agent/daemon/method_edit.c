/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Change, SetBinding, GetRuntime: the configuration changed at run time. */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/edit.h"
#include "daemon/settings.h"

#include <stdio.h>

#define DEFAULT_SUSPEND	"default-binding suspended;"

json_t *method_json_differences(const struct differences *differences,
				const struct overlay *overlay)
{
	json_t *list = json_array();
	char text[64];

	for (size_t i = 0; i < differences->n; i++) {
		const struct difference *one = &differences->at[i];
		bool runtime = overlay && overlay_find(overlay, one->thing, one->key);

		json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:o, s:b}", "what",
						      one->what, "kind", one->kind, "name",
						      method_json(one->name), "files",
						      method_json(one->after), "running",
						      method_json(one->before), "runtime",
						      (int)runtime));
	}
	if (differences->left_out == 0)
		return list;
	snprintf(text, sizeof text, "%zu more changes", differences->left_out);
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:n, s:n, s:b}", "what", "changed",
					      "kind", "left out", "name", text, "files", "running",
					      "runtime", 0));
	return list;
}

static json_t *json_affected(const struct edit_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->affected.n; i++)
		json_array_append_new(
			list, json_pack("{s:o, s:I}", "binding",
					method_json(report->affected.at[i].binding), "connections",
					(json_int_t)report->affected.at[i].connections));
	return list;
}

static void answer(struct call *call, const struct edit_report *report, const struct outcome *out)
{
	method_reply(call, json_pack("{s:o, s:I, s:b, s:I, s:o, s:o}", "changes",
				     method_json_differences(&report->changes,
							     &call->agent->overlay),
				     "operations", (json_int_t)out->operations, "replaced",
				     (int)out->replaced, "microseconds", (json_int_t)out->took_usec,
				     "affected", json_affected(report), "warnings",
				     method_json_problems(&out->problems)));
}

static void edit(struct call *call, const struct edit_request *request)
{
	AUTO(edit_report_drop) struct edit_report report = { 0 };
	AUTO(outcome_drop) struct outcome out = { 0 };
	int r = edit_apply(call->agent, request, &report, &out);

	if (r < 0)
		method_fail_outcome(call, r, &out);
	else
		answer(call, &report, &out);
}

/* What `resume default` comes to: what was said at run time goes, or what the files say is undone. */
static const char *resume_text(const struct agent *agent)
{
	const struct overlay_entry *entry = overlay_find(&agent->overlay, ITEM_DEFAULT,
							 DEFAULT_KEY);

	return entry && !entry->hides ? "remove default-binding;" : "default-binding normal;";
}

/* What is so already is said by an empty text. */
static char *suspend_text(const struct agent *agent, uint32_t binding, bool on)
{
	const struct model *model = &agent->now->model;
	char *text = NULL;
	int r;

	if (binding == NO_INDEX ? (model->default_binding == DEFAULT_SUSPENDED) == on
				: agent->facts.suspended[binding] == on)
		return mem_copy("");
	if (binding == NO_INDEX)
		return mem_copy(on ? DEFAULT_SUSPEND : resume_text(agent));
	r = asprintf(&text, "%s %s;", on ? "suspend" : "resume", model->bindings.at[binding].name);
	if (r < 0)
		abort();
	return text;
}

void method_try_suspend(struct call *call, uint32_t binding, bool on)
{
	char *AUTO(mem_drop) text = suspend_text(call->agent, binding, on);
	AUTO(edit_report_drop) struct edit_report report = { 0 };
	AUTO(outcome_drop) struct outcome out = { 0 };
	const struct edit_request request = { .name = on ? "suspend" : "resume", .text = text,
					      .dry_run = true };
	int r = edit_apply(call->agent, &request, &report, &out);

	if (r < 0)
		method_fail_outcome(call, r, &out);
	else
		method_reply(call, json_pack("{s:I, s:I, s:o}", "operations",
					     (json_int_t)out.operations, "microseconds",
					     (json_int_t)out.took_usec, "changes",
					     method_json_differences(&report.changes,
								     &call->agent->overlay)));
}

void method_suspend_default(struct call *call, bool on)
{
	AUTO(edit_report_drop) struct edit_report report = { 0 };
	AUTO(outcome_drop) struct outcome out = { 0 };
	const char *text = on ? DEFAULT_SUSPEND : resume_text(call->agent);
	bool is = call->agent->now->model.default_binding == DEFAULT_SUSPENDED;
	int r = is == on ? 0 : edit_apply(call->agent, &(struct edit_request){
		.name = on ? "suspend" : "resume", .text = text }, &report, &out);

	method_reply_outcome(call, r, &out);
}

void method_change(struct call *call)
{
	const char *name = method_text(call, "name");

	edit(call, &(struct edit_request){
		.name = name ? name : "change", .text = method_text(call, "text"),
		.whole = method_true(call, "whole"), .dry_run = method_true(call, "dry_run") });
}

static char *stanza_of(const struct model *model, uint32_t binding)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	conf_print_binding(model, binding, out);
	if (fclose(out) != 0)
		abort();
	return text;
}

void method_set_binding(struct call *call)
{
	const struct model *model = &call->agent->now->model;
	AUTO(mem_drop) char *stanza = NULL, *text = NULL;
	const char *name = method_text(call, "name");
	uint32_t binding = model_find(model, name);

	if (binding == NO_INDEX || model->bindings.at[binding].implied) {
		method_fail_unknown(call, name);
		return;
	}
	stanza = stanza_of(model, binding);
	text = settings_merge(stanza, method_text(call, "settings"));
	edit(call, &(struct edit_request){ .name = "settings", .text = text,
					   .dry_run = method_true(call, "dry_run") });
}

void method_get_runtime(struct call *call)
{
	size_t len, definitions;

	method_stream_text(call, overlay_text(&call->agent->overlay, &len, &definitions));
}
