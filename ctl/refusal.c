/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One row per error of proto/org.outbind.varlink, of org.outbind.relay.varlink and of
 * org.varlink.service, with the exit code it leads to. An error that is not in the table is
 * printed with its parameters as they came.
 */
#include "refusal.h"

#include "answer.h"
#include "excerpt.h"
#include "reply.h"

#include <string.h>

static void say_binding(const struct ctl *ctl, const json_t *about)
{
	const char *nearest = reply_text(about, "nearest");

	ctl_complain(ctl, "there is no binding '%s'%s%s%s", reply_text(about, "name"),
		     *nearest ? "; did you mean '" : "", nearest,
		     *nearest ? "'?" : "; `outbindctl binding list` shows them");
}

static void say_in_use(const struct ctl *ctl, const json_t *about)
{
	const json_t *references = reply_member(about, "references");
	const json_t *remaining = reply_member(about, "remaining");
	long long connections = reply_number(about, "connections");
	long long left_out = reply_number(about, "left_out");
	const char *hint = json_array_size(references) ? " Change what refers to it, or --reassign "
							 "OTHER." : "";

	for (size_t i = 0; i < json_array_size(references); i++) {
		const json_t *one = json_array_get(references, i);

		if (strcmp(reply_text(one, "what"), "relay") == 0)
			hint = " The relay stanza is changed in the files only: edit it, and "
			       "`outbindctl reload`.";
		ctl_complain(ctl, "%s: %s '%s' refers to it", reply_text(one, "place"),
			     reply_text(one, "what"), reply_text(one, "name"));
	}
	if (left_out > 0)
		ctl_complain(ctl, "and %lld more refer to it", left_out);
	for (size_t i = 0; i < json_array_size(remaining); i++)
		ctl_complain(ctl, "live: %s", json_string_value(json_array_get(remaining, i)));
	connections -= (long long)json_array_size(remaining);
	if (connections > 0)
		ctl_complain(ctl, "and %lld more connections live", connections);
	ctl_complain(ctl, "'%s' is in use; nothing was changed.%s%s", reply_text(about, "name"),
		     hint,
		     json_array_size(remaining)
			     ? " --drain waits for its connections, --kill ends them."
			     : "");
}

static void say_invalid(const struct ctl *ctl, const json_t *about)
{
	long long left_out = reply_number(about, "left_out");

	refusal_print_problems(ctl, reply_member(about, "problems"));
	if (left_out > 0)
		ctl_complain(ctl, "and %lld more problems", left_out);
	ctl_complain(ctl, "configuration invalid; nothing was changed");
}

static void say_kernel(const struct ctl *ctl, const json_t *about)
{
	static const char no_state[] = "cannot write ";
	const char *place = reply_text(about, "place"), *why = reply_text(about, "text");
	bool disk = strncmp(why, no_state, strlen(no_state)) == 0;
	char *AUTO(mem_drop) text = NULL;

	if (asprintf(&text, "%s%s%s", disk ? "" : "the kernel refused: ", why,
		     disk ? "; nothing was changed" : "") < 0)
		abort();
	if (*place)
		excerpt_print(ctl, place, text);
	else
		ctl_complain(ctl, "%s", text);
}

static void say_not_possible(const struct ctl *ctl, const json_t *about)
{
	ctl_complain(ctl, "not possible: %s", reply_text(about, "text"));
}

static void say_not_found(const struct ctl *ctl, const json_t *about)
{
	const char *what = reply_text(about, "what");

	ctl_complain(ctl, "there is no %s '%s'%s", what, reply_text(about, "name"),
		     strcmp(what, "unit") == 0 ? ": it has a cgroup only while it runs" : "");
}

static void say_denied(const struct ctl *ctl, const json_t *about)
{
	const char *needs = reply_text(about, "needs");

	ctl_complain(ctl, "permission denied: needs %s", *needs ? needs : "more rights");
}

static void say_busy(const struct ctl *ctl, const json_t *about)
{
	ctl_complain(ctl, "%s is busy: %s; try again",
		     ctl->relay_socket ? "the relay" : "the agent", reply_text(about, "text"));
}

static void say_parameter(const struct ctl *ctl, const json_t *about)
{
	ctl_complain(ctl, "%s does not accept this value of '%s'",
		     ctl->relay_socket ? "the relay" : "the agent",
		     reply_text(about, "parameter"));
}

static void say_method(const struct ctl *ctl, const json_t *about)
{
	ctl_complain(ctl, "%s does not know %s: %s and outbindctl are of different versions",
		     ctl->relay_socket ? "the relay" : "the agent", reply_text(about, "method"),
		     ctl_server(ctl));
}

static const struct {
	const char *error;
	enum ctl_status status;
	void (*say)(const struct ctl *ctl, const json_t *about);
} refusals[] = {
	{ "org.outbind.BindingNotFound", CTL_REFUSED, say_binding },
	{ "org.outbind.BindingInUse", CTL_REFUSED, say_in_use },
	{ "org.outbind.ConfigurationInvalid", CTL_NO, say_invalid },
	{ "org.outbind.KernelRefused", CTL_REFUSED, say_kernel },
	{ "org.outbind.NotPossible", CTL_REFUSED, say_not_possible },
	{ "org.outbind.NotFound", CTL_REFUSED, say_not_found },
	{ "org.outbind.PermissionDenied", CTL_DENIED, say_denied },
	{ "org.outbind.Busy", CTL_REFUSED, say_busy },
	{ "org.outbind.TooManyCalls", CTL_REFUSED, say_busy },
	{ "org.outbind.relay.NotPossible", CTL_REFUSED, say_not_possible },
	{ "org.outbind.relay.NotFound", CTL_REFUSED, say_not_found },
	{ "org.outbind.relay.PermissionDenied", CTL_DENIED, say_denied },
	{ "org.outbind.relay.Busy", CTL_REFUSED, say_busy },
	{ "org.varlink.service.InvalidParameter", CTL_USAGE, say_parameter },
	{ "org.varlink.service.MethodNotFound", CTL_REFUSED, say_method },
	{ "org.varlink.service.MethodNotImplemented", CTL_REFUSED, say_method },
	{ "org.varlink.service.PermissionDenied", CTL_DENIED, say_denied },
};

void refusal_print_problems(const struct ctl *ctl, const json_t *problems)
{
	for (size_t i = 0; i < json_array_size(problems); i++) {
		const json_t *problem = json_array_get(problems, i);
		bool warning = strcmp(reply_text(problem, "severity"), "warning") == 0;
		char *AUTO(mem_drop) text = NULL;

		if (asprintf(&text, "%s%s", warning ? "warning: " : "",
			     reply_text(problem, "text")) < 0)
			abort();
		excerpt_print(ctl, reply_text(problem, "place"), text);
	}
}

static void print_error(const struct ctl *ctl, const char *error, const json_t *parameters)
{
	json_t *object = json_pack("{s:s, s:O?}", "error", error, "parameters", parameters);

	answer_json(ctl, object);
	json_decref(object);
}

int refusal_report(const struct ctl *ctl, const char *error, const json_t *parameters)
{
	char *text;

	if (ctl->json)
		print_error(ctl, error, parameters);
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		if (strcmp(refusals[i].error, error) != 0)
			continue;
		refusals[i].say(ctl, parameters);
		return refusals[i].status;
	}
	text = json_dumps(parameters, JSON_COMPACT);
	ctl_complain(ctl, "%s refused: %s %s", ctl->relay_socket ? "the relay" : "the agent",
		     error, text ? text : "");
	free(text);
	return CTL_REFUSED;
}
