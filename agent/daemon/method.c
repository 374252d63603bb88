/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control methods share. See method.h; the methods are in method_*.c. */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/listing.h"

#include <stdio.h>
#include <string.h>

void answer_drop(struct answer *answer)
{
	json_decref(answer->parameters);
	*answer = (struct answer){ 0 };
}

void answer_refuse(struct answer *answer, const char *text)
{
	answer_drop(answer);
	answer->error = OUTBIND_ERROR("KernelRefused");
	answer->parameters = json_pack("{s:o, s:n}", "text", method_json(text), "place");
}

void method_fail(struct call *call, const char *error, json_t *parameters)
{
	if (!parameters)
		abort();		/* no memory, or a bug in a format of ours */
	answer_drop(&call->answer);
	call->answer = (struct answer){ .error = error, .parameters = parameters };
}

void method_reply(struct call *call, json_t *parameters)
{
	method_fail(call, NULL, parameters);
}

void method_stream(struct call *call, struct stream *stream)
{
	call->stream = stream;
}

json_t *method_json(const char *text)
{
	AUTO(mem_drop) char *clean = NULL;
	json_t *json;

	if (!text)
		return json_null();
	json = json_string(text);
	if (json)
		return json;
	clean = mem_copy(text);
	for (char *c = clean; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(clean);
}

json_t *method_json_time(const struct timespec *time)
{
	char text[40];
	struct tm tm;
	size_t n;

	gmtime_r(&time->tv_sec, &tm);
	n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof text - n, ".%03dZ", (int)(time->tv_nsec / 1000000));
	return json_string(text);
}

void method_fail_parameter(struct call *call, const char *name)
{
	method_fail(call, SERVICE_ERROR("InvalidParameter"),
		    json_pack("{s:o}", "parameter", method_json(name)));
}

void method_fail_unknown(struct call *call, const char *binding)
{
	method_fail(call, OUTBIND_ERROR("BindingNotFound"),
		    json_pack("{s:s, s:o}", "name", binding, "nearest",
			      method_json(listing_nearest(&call->agent->now->model, binding))));
}

json_t *method_json_problems(const struct problems *problems)
{
	json_t *list = json_array();

	for (size_t i = 0; i < problems->n; i++) {
		const struct problem *problem = &problems->at[i];
		const char *severity = problem->level == DIAG_ERROR ? "error" : "warning";

		json_array_append_new(list, json_pack("{s:o, s:s, s:o}", "place",
						      method_json(problem->place), "severity",
						      severity, "text",
						      method_json(problem->text)));
	}
	return list;
}

void method_fail_outcome(struct call *call, int r, const struct outcome *out)
{
	const char *text = out->text[0] ? out->text : strerror(-r);

	if (!out->text[0] && out->problems.n > 0)
		method_fail(call, OUTBIND_ERROR("ConfigurationInvalid"),
			    json_pack("{s:o, s:I}", "problems",
				      method_json_problems(&out->problems), "left_out",
				      (json_int_t)out->problems.left_out));
	else
		method_fail(call, OUTBIND_ERROR("KernelRefused"),
			    json_pack("{s:o, s:o}", "text", method_json(text), "place",
				      method_json(out->place[0] ? out->place : NULL)));
}

void method_reply_outcome(struct call *call, int r, const struct outcome *out)
{
	if (r < 0)
		method_fail_outcome(call, r, out);
	else
		method_reply(call, json_pack("{s:I, s:I}", "operations",
					     (json_int_t)out->operations, "microseconds",
					     (json_int_t)out->took_usec));
}

const char *method_text(const struct call *call, const char *name)
{
	return json_string_value(json_object_get(call->parameters, name));
}

bool method_true(const struct call *call, const char *name)
{
	return json_is_true(json_object_get(call->parameters, name));
}

bool method_number(const struct call *call, const char *name, json_int_t *ret)
{
	const json_t *value = json_object_get(call->parameters, name);

	if (!json_is_integer(value))
		return false;
	*ret = json_integer_value(value);
	return true;
}

bool method_number_within(struct call *call, const char *name, json_int_t least, json_int_t most,
			  json_int_t *value)
{
	json_int_t number;

	if (!method_number(call, name, &number))
		return true;
	if (number < least || number > most) {
		method_fail_parameter(call, name);
		return false;
	}
	*value = number;
	return true;
}

int method_binding(struct call *call, const char *name, uint32_t *ret)
{
	uint32_t binding = model_find(&call->agent->now->model, name);

	if (binding == NO_INDEX && strcmp(name, DEFAULT_BINDING) != 0) {
		method_fail_unknown(call, name);
		return -ESRCH;
	}
	*ret = binding;
	return 0;
}

json_t *method_json_rule(const struct model *model, const struct rule *rule)
{
	AUTO(rule_words_drop) struct rule_words words = listing_words(model, rule);
	char place[OUTCOME_TEXT];

	model_place(model, rule->where, place, sizeof place);
	return json_pack("{s:o, s:o, s:o, s:o}", "client", method_json(words.client), "to",
			 method_json(words.to), "action", method_json(words.action), "place",
			 method_json(place));
}

json_t *method_json_default(const struct model *model)
{
	static const char *const actions[] = {
		[DEFAULT_UNSAID] = "", [DEFAULT_NORMAL] = "normal",
		[DEFAULT_SUSPENDED] = "suspended", [DEFAULT_REJECT] = "reject",
	};
	char place[OUTCOME_TEXT];

	if (model->default_binding == DEFAULT_UNSAID)
		return json_null();
	model_place(model, model->where_default, place, sizeof place);
	return json_pack("{s:s, s:s, s:s, s:o}", "client", "default-binding", "to", "", "action",
			 actions[model->default_binding], "place", method_json(place));
}

const struct listing *method_listing(struct agent *agent)
{
	if (!agent->listing)
		agent->listing = listing_new(&agent->now->model);
	return agent->listing;
}
