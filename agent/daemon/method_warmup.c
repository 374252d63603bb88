/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GetWarmup, StartWarmup, PauseWarmup, ResumeWarmup: how far the warm-up of a binding is. */
#include "daemon/method.h"

#include "daemon/warmup.h"

#include <time.h>

static json_t *json_warmup(const struct warmup_state *state, const struct warmup *warmup)
{
	int64_t now = (int64_t)time(NULL), over;
	bool limits = warmup_limits(state, warmup);

	over = !limits ? WARMUP_DAY : state->paused ? state->since : now - state->since;
	if (over < 0)
		over = 0;
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "state",
			 !state ? "not started" : !limits ? "over"
			 : state->paused ? "paused" : "running",
			 "day", (json_int_t)(limits ? state->day : 0),
			 "days", (json_int_t)warmup->n_days,
			 "used", (json_int_t)(limits ? warmup_used(state) : 0),
			 "quota", (json_int_t)(limits ? warmup_quota(state, warmup) : 0),
			 "left", (json_int_t)(over < WARMUP_DAY ? WARMUP_DAY - over : 0));
}

json_t *method_json_warmup(const struct agent *agent, const struct binding *binding)
{
	if (!binding->warmup)
		return json_null();
	return json_warmup(warmups_find(&agent->warmups, binding->name), binding->warmup);
}

/* The binding that is asked for, if it has a warm-up; else the answer is set. */
static const struct binding *find(struct call *call, uint32_t *ret)
{
	if (method_binding(call, method_text(call, "name"), ret) < 0)
		return NULL;
	if (*ret != NO_INDEX && call->agent->now->model.bindings.at[*ret].warmup)
		return &call->agent->now->model.bindings.at[*ret];
	method_fail(
		call, OUTBIND_ERROR("NotPossible"),
		json_pack("{s:s}", "text", "this binding has no `warmup` in its configuration"));
	return NULL;
}

static void reply(struct call *call, const struct binding *binding)
{
	warmup_look(call->agent, &call->agent->now->model, &call->agent->now->plan);
	method_reply(call, json_pack("{s:o}", "warmup", method_json_warmup(call->agent, binding)));
}

void method_get_warmup(struct call *call)
{
	uint32_t index;
	const struct binding *binding = find(call, &index);

	if (binding)
		reply(call, binding);
}

static void act(struct call *call, enum warmup_act what)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	uint32_t index;
	const struct binding *binding = find(call, &index);
	int r;

	if (!binding)
		return;
	r = warmup_act(call->agent, index, what, &out);
	if (r == -EALREADY)
		method_fail(call, OUTBIND_ERROR("NotPossible"),
			    json_pack("{s:s}", "text", out.text));
	else if (r < 0)
		method_fail_outcome(call, r, &out);
	else
		reply(call, binding);
}

void method_start_warmup(struct call *call)
{
	act(call, WARMUP_START);
}

void method_pause_warmup(struct call *call)
{
	act(call, WARMUP_PAUSE);
}

void method_resume_warmup(struct call *call)
{
	act(call, WARMUP_RESUME);
}
