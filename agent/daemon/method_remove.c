/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RemoveBinding: the removal itself is remove.c's; here it is asked for, and watched. */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/edit.h"
#include "daemon/remove.h"

#include <string.h>

enum { TIMEOUT_MAX = 366 * 24 * 3600 };

struct remove_stream {
	struct stream stream;
	struct removal *removal;
	uint64_t told;				/* round that the last answer was about, plus one */
};

static void free_removal(struct stream *stream)
{
	remove_unref(((struct remove_stream *)stream)->removal);
	free(stream);
}

static json_t *json_remaining(const struct removal *removal)
{
	json_t *list = json_array();

	for (size_t i = 0; i < removal->n_remaining; i++)
		json_array_append_new(list, method_json(removal->remaining[i]));
	return list;
}

static json_t *json_removal(const struct removal *removal)
{
	return json_pack("{s:o, s:I, s:I, s:I, s:o, s:b, s:b, s:o}", "name",
			 method_json(removal->name), "connections",
			 (json_int_t)removal->connections, "at_start",
			 (json_int_t)removal->at_start, "killed", (json_int_t)removal->killed,
			 "remaining", json_remaining(removal), "done",
			 removal->state != REMOVE_RUNNING, "removed",
			 removal->state == REMOVE_DONE, "reason", method_json(removal->why));
}

static void next_removal(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct remove_stream *s = (struct remove_stream *)stream;
	const struct removal *removal = s->removal;
	bool runs = removal->state == REMOVE_RUNNING;

	if (runs && (!stream->more || s->told == removal->round + 1)) {
		ret->waits = true;
		return;
	}
	s->told = removal->round + 1;
	if (removal->state == REMOVE_FAILED) {
		struct call call = { .agent = agent };

		method_fail_outcome(&call, removal->result, &removal->out);
		*ret = call.answer;
		return;
	}
	*ret = (struct answer){ .parameters = json_removal(removal), .continues = runs };
}

static json_t *json_references(const struct references *references)
{
	json_t *list = json_array();

	for (size_t i = 0; i < references->n; i++)
		json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "what",
						      references->at[i].what, "name",
						      method_json(references->at[i].name), "place",
						      method_json(references->at[i].place)));
	return list;
}

static void fail_in_use(struct call *call, const struct removal_refusal *refusal)
{
	const struct references *references = &refusal->references;

	method_fail(call, OUTBIND_ERROR("BindingInUse"),
		    json_pack("{s:o, s:o, s:I, s:I, s:o}", "name",
			      method_json(refusal->about->name), "references",
			      json_references(references), "left_out",
			      (json_int_t)(references->n_all - references->n), "connections",
			      (json_int_t)refusal->about->connections, "remaining",
			      json_remaining(refusal->about)));
}

static void fail_text(struct call *call, const char *text)
{
	method_fail(call, OUTBIND_ERROR("NotPossible"), json_pack("{s:s}", "text", text));
}

static void fail_removal(struct call *call, int r, const struct remove_request *request,
			 const struct removal_refusal *refusal, const struct outcome *out)
{
	switch (r) {
	case -ESRCH:
		if (strcmp(request->name, DEFAULT_BINDING) == 0)
			fail_text(call, "the binding 'default' is not configured: there is nothing "
					"to remove");
		else
			method_fail_unknown(call, request->name);
		return;
	case -ENOENT:
		method_fail_unknown(call, request->reassign);
		return;
	case -EALREADY:
		fail_text(call, "the binding that should get the clients is being removed itself");
		return;
	case -EADDRINUSE:
		fail_in_use(call, refusal);
		return;
	default:
		method_fail_outcome(call, r, out);
	}
}

/* False with the answer set. */
static bool read_request(struct call *call, struct remove_request *ret)
{
	json_int_t seconds = 0;
	bool timed = method_number(call, "timeout", &seconds);

	*ret = (struct remove_request){
		.name = method_text(call, "name"), .reassign = method_text(call, "reassign"),
		.drain = method_true(call, "drain"), .kill = method_true(call, "kill"),
		.timeout = timed ? (uint64_t)seconds * 1000000 : UINT64_MAX,
	};
	/* Killing what drains for ever would never come; a time for nothing to wait for, neither. */
	if ((timed && (seconds < 0 || seconds > TIMEOUT_MAX || !ret->drain)) ||
	    (!timed && ret->drain && ret->kill)) {
		method_fail_parameter(call, "timeout");
		return false;
	}
	if (ret->reassign && strcmp(ret->reassign, ret->name) == 0) {
		method_fail_parameter(call, "reassign");
		return false;
	}
	return true;
}

static void answer_try(struct call *call, const struct removal *removal,
		       const struct edit_report *report, const struct outcome *out)
{
	json_t *reply = json_removal(removal);

	(void)json_object_set_new(reply, "done", json_true());
	(void)json_object_set_new(reply, "changes",
				  method_json_differences(&report->changes,
							  &call->agent->overlay));
	(void)json_object_set_new(reply, "operations", json_integer((json_int_t)out->operations));
	method_reply(call, reply);
}

void method_remove_binding(struct call *call)
{
	AUTO(edit_report_drop) struct edit_report report = { 0 };
	AUTO(outcome_drop) struct outcome out = { 0 };
	AUTO(remove_refusal_drop) struct removal_refusal refusal = { 0 };
	struct remove_request request;
	struct remove_stream *stream;
	struct removal *removal;
	int r;

	if (!read_request(call, &request))
		return;
	request.try = method_true(call, "dry_run") ? &report : NULL;
	r = remove_begin(call->agent, &request, &removal, &refusal, &out);
	if (r < 0) {
		fail_removal(call, r, &request, &refusal, &out);
		return;
	}
	if (request.try) {
		answer_try(call, removal, &report, &out);
		remove_unref(removal);
		return;
	}
	stream = mem_zero(1, sizeof *stream);
	stream->stream = (struct stream){ .next = next_removal, .free = free_removal };
	stream->removal = removal;
	method_stream(call, &stream->stream);
}
