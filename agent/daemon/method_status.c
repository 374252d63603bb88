/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GetStatus, Reload, PrepareExec and Settle: the agent as a whole. */
#include "daemon/method.h"

#include "daemon/alarm.h"
#include "daemon/capacity.h"
#include "daemon/flow_log.h"
#include "daemon/follow.h"
#include "daemon/porter.h"
#include "daemon/privilege.h"
#include "daemon/remove.h"
#include "daemon/survey.h"
#include "daemon/warn.h"

#include <stdio.h>
#include <string.h>

static json_t *json_time(const struct timespec *time)
{
	char text[40];
	struct tm tm;

	gmtime_r(&time->tv_sec, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static json_t *warnings(const struct agent *agent)
{
	AUTO(findings_drop) struct findings findings = { 0 };
	json_t *list = json_array();
	char text[FINDING_TEXT];

	warn_findings(agent, &findings);
	for (size_t i = 0; i < findings.n; i++)
		json_array_append_new(list, method_json(finding_print(&findings.at[i], text)));
	return list;
}

static void set_number(json_t *object, const char *name, uint64_t number)
{
	json_object_set_new(object, name, json_integer((json_int_t)number));
}

json_t *method_json_counters(struct agent *agent)
{
	struct kernel_counters read = { 0 };
	json_t *object = json_object();

	if (agent->kernel->read_counters(agent->kernel, &read) < 0)
		read = (struct kernel_counters){ 0 };
	set_number(object, "refused_rule", read.refused_rule);
	set_number(object, "refused_unusable", read.refused_unusable);
	set_number(object, "refused_reused", read.refused_reused);
	set_number(object, "refused_limit", read.refused_limit);
	set_number(object, "overflowed", read.overflowed);
	set_number(object, "delayed_limit", read.delayed_limit);
	set_number(object, "delayed_change", read.delayed_change);
	set_number(object, "dropped_stray", read.dropped_stray);
	set_number(object, "dropped_guard", read.dropped_guard);
	set_number(object, "dropped_uplink", read.dropped_uplink);
	return object;
}

static void set_numbers(json_t *status, const struct agent *agent)
{
	const struct generation *now = agent->now;
	size_t usable = 0, elements = 0;

	for (uint32_t i = 0; i < now->plan.n_bindings; i++)
		usable += plan_usable(&now->plan, i, FAMILY_IPV4) ||
			  plan_usable(&now->plan, i, FAMILY_IPV6);
	for (size_t i = 0; i < SETS; i++)
		elements += now->plan.sets[i].n;
	set_number(status, "pid", (uint64_t)getpid());
	set_number(status, "mask", now->model.mask.host);
	set_number(status, "generation", agent->generation);
	set_number(status, "bindings", model_count_bindings(&now->model));
	set_number(status, "groups", model_count_groups(&now->model));
	set_number(status, "usable", usable);
	set_number(status, "rules", now->model.rules.n);
	set_number(status, "elements", elements);
	set_number(status, "transactions", agent->transactions);
	set_number(status, "heals", agent->heals);
	set_number(status, "notices_lost", agent->notices_lost);
	set_number(status, "memory", (uint64_t)(json_int_t)agent_resident());
}

static json_t *sources(const struct agent *agent)
{
	const struct alarm *alarm = agent->alarm;

	return json_pack("{s:I, s:I, s:I}", "wrong", alarm ? (json_int_t)alarm->wrong : 0,
			 "refused", alarm ? (json_int_t)alarm->refused : 0, "lost",
			 (json_int_t)follow_lost(agent));
}

json_t *method_json_census(const struct agent *agent)
{
	const struct census *last = survey_census(agent);

	return json_pack("{s:I, s:I, s:I, s:I}", "serial", last ? (json_int_t)last->serial : 0,
			 "age_ms", last ? (json_int_t)((agent_clock() - last->when) / 1000) : 0,
			 "entries", last ? (json_int_t)last->entries : 0, "took_us",
			 last ? (json_int_t)last->took : 0);
}

static json_t *flow_log(struct agent *agent)
{
	struct flow_log_state state;

	if (!flow_log_read(agent, &state))
		return json_null();
	return json_pack("{s:o, s:I, s:I, s:o}", "file", method_json(agent->now->model.flow_log),
			 "written", (json_int_t)state.written, "dropped",
			 (json_int_t)state.dropped, "error",
			 method_json(state.error ? strerror(-state.error) : NULL));
}

static json_t *ports(const struct agent *agent)
{
	const struct capacity *capacity = agent->capacity;

	return json_pack("{s:I, s:I, s:I}", "short", capacity ? (json_int_t)capacity->n : 0,
			 "warnings", capacity ? (json_int_t)capacity->warnings : 0,
			 "exhaustions", capacity ? (json_int_t)capacity->exhaustions : 0);
}

static json_t *removals(const struct agent *agent)
{
	const struct removals *running = agent->removals;
	json_t *list = json_array();

	for (size_t i = 0; running && i < running->n; i++)
		json_array_append_new(list, json_pack("{s:o, s:I, s:I}", "name",
						      method_json(running->at[i]->name),
						      "connections",
						      (json_int_t)running->at[i]->connections,
						      "at_start",
						      (json_int_t)running->at[i]->at_start));
	return list;
}

static json_t *door(const struct door *door)
{
	return json_pack("{s:I, s:I, s:I}", "peers", (json_int_t)door->peers, "limited",
			 (json_int_t)door->limited, "refused", (json_int_t)door->refused);
}

/* Only those that there are. */
static void add_gate(json_t *list, const char *peers, const struct porter *porter)
{
	struct porter_state state = porter_state(porter);

	if (porter)
		json_array_append_new(list, json_pack("{s:s, s:I, s:b, s:I}", "peers", peers, "pid",
						      (json_int_t)state.pid, "ready", state.ready,
						      "ended", (json_int_t)state.ended));
}

static json_t *gates(const struct agent *agent)
{
	json_t *list = json_array();

	add_gate(list, "strangers", agent->gates.strangers);
	add_gate(list, "relay", agent->gates.relay);
	return list;
}

void method_get_status(struct call *call)
{
	struct agent *agent = call->agent;
	const struct kernel_features *features = &agent->kernel->features;
	json_t *status = json_object();

	set_numbers(status, agent);
	json_object_set_new(status, "version", json_string(OUTBIND_VERSION));
	json_object_set_new(status, "table", method_json(agent->options->kernel.table));
	json_object_set_new(status, "configuration", method_json(agent->options->config));
	json_object_set_new(status, "digest", method_json(agent->digest));
	json_object_set_new(status, "started", json_time(&agent->started));
	json_object_set_new(status, "applied", json_time(&agent->applied));
	json_object_set_new(status, "owned", json_boolean(agent_owns_table(agent)));
	json_object_set_new(status, "features",
			    json_pack("{s:b, s:b, s:b}", "owner", features->owner, "persist",
				      features->persist, "destroy", features->destroy));
	json_object_set_new(status, "last_reload", method_json(agent->last_reload));
	json_object_set_new(status, "default_binding", method_json_default(&agent->now->model));
	json_object_set_new(status, "counters", method_json_counters(agent));
	json_object_set_new(status, "warnings", warnings(agent));
	json_object_set_new(status, "removals", removals(agent));
	json_object_set_new(status, "sources", sources(agent));
	json_object_set_new(status, "census", method_json_census(agent));
	json_object_set_new(status, "flow_log", flow_log(agent));
	json_object_set_new(status, "ports", ports(agent));
	json_object_set_new(status, "control", door(&agent->doors.control));
	json_object_set_new(status, "tags", door(&agent->doors.tags));
	json_object_set_new(status, "gates", gates(agent));
	json_object_set_new(status, "capabilities", privilege_json());
	method_reply(call, status);
}

void method_reload(struct call *call)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	int r = agent_reload(call->agent, &out);

	if (r < 0) {
		method_fail_outcome(call, r, &out);
		return;
	}
	method_reply(call, json_pack("{s:I, s:I, s:b, s:I, s:o}", "generation",
				     (json_int_t)call->agent->generation, "operations",
				     (json_int_t)out.operations, "replaced", out.replaced,
				     "microseconds", (json_int_t)out.took_usec, "warnings",
				     method_json_problems(&out.problems)));
}

void method_prepare_exec(struct call *call)
{
	struct agent *agent = call->agent;
	const char *name = method_text(call, "binding");
	AUTO(mem_drop) char *path = NULL;
	char text[OUTCOME_TEXT];
	bool there;
	int r;

	if (model_find(&agent->now->model, name) == NO_INDEX) {
		method_fail_unknown(call, name);
		return;
	}
	if (!agent->cgroups) {
		answer_refuse(&call->answer, "no cgroup2 file system on this host");
		return;
	}
	r = cgroups_find_exec(agent->cgroups, name, method_true(call, "slice"), &path, &there);
	if (r < 0) {
		snprintf(text, sizeof text, "cannot look at the cgroup: %s", strerror(-r));
		answer_refuse(&call->answer, text);
		return;
	}
	if (there && agent_refresh(agent, FACTS_CGROUPS) < 0)
		answer_refuse(&call->answer,
			      "the element of the cgroup is not in the kernel; see the log");
	else
		method_reply(call, json_pack("{s:o, s:b}", "cgroup", method_json(path), "ready",
					     there));
}

void method_settle(struct call *call)
{
	if (agent_settle(call->agent) < 0)
		answer_refuse(&call->answer,
			      "an element of a cgroup is not in the kernel; see the log");
	else
		method_reply(call, json_object());
}
