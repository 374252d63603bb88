/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which probes there are, and what they found put into the facts. A target (probe_target.c) is a probe
 * of the configuration, known by name, and targets follow the configuration a moment after it changed.
 * What a failed one said outlives it in the agent, until all are gathered anew.
 */
#include "daemon/probe.h"

#include "base/mem.h"
#include "daemon/probe_parts.h"

#include <string.h>

enum { FOLLOW_USEC = 20000 };

struct probe_failure {				/* what a failing target said, for the facts */
	char *name;
	bool uplink;
	struct probe probe;
};

bool probe_same(const struct probe *a, const struct probe *b)
{
	return a->kind == b->kind && ip_equal(&a->to, &b->to) && a->port == b->port &&
	       a->every_ms == b->every_ms && a->down == b->down && a->up == b->up;
}

static uint32_t find_uplink(const struct model *model, const char *name)
{
	for (uint32_t i = 0; i < model->uplinks.n; i++)
		if (strcmp(model->uplinks.at[i].name, name) == 0)
			return i;
	return NO_INDEX;
}

const struct probe *probe_find(const struct model *model, const char *name, bool uplink,
			       uint32_t *ret_index)
{
	uint32_t index = uplink ? find_uplink(model, name) : model_find(model, name);

	*ret_index = index;
	if (index == NO_INDEX)
		return NULL;
	return uplink ? model->uplinks.at[index].probe : model->bindings.at[index].probe;
}

static void set_fails(struct probe_failures *failures, uint32_t index)
{
	while (failures->n <= index)
		PUSH(failures, false);
	failures->at[index] = true;
}

void probe_facts(struct agent *agent, const struct model *model)
{
	agent->facts.binding_probes.n = agent->facts.uplink_probes.n = 0;
	for (size_t i = 0; i < agent->failing.n; i++) {
		const struct probe_failure *failure = &agent->failing.at[i];
		uint32_t index;
		const struct probe *probe =
			probe_find(model, failure->name, failure->uplink, &index);

		if (probe && probe_same(probe, &failure->probe))
			set_fails(failure->uplink ? &agent->facts.uplink_probes
						  : &agent->facts.binding_probes,
				  index);
	}
}

static void forget(struct agent *agent)
{
	for (size_t i = 0; i < agent->failing.n; i++)
		free(agent->failing.at[i].name);
	agent->failing.n = 0;
}

void probe_drop(struct agent *agent)
{
	forget(agent);
	free(agent->failing.at);
	agent->failing.at = NULL;
	agent->failing.room = 0;
}

/* States changed: all of them into the facts at once, and into the kernel. */
static int on_result(sd_event_source *source, uint64_t usec, void *context)
{
	struct probes *probes = context;
	struct agent *agent = probes->agent;

	(void)source;
	(void)usec;
	forget(agent);
	for (size_t i = 0; i < probes->targets.n; i++) {
		const struct target *target = probes->targets.at[i];

		if (target->count.failing)
			PUSH(&agent->failing,
			     ((struct probe_failure){ mem_copy(target->name),
						      target->uplink, target->probe }));
	}
	probe_facts(agent, &agent->now->model);
	(void)agent_refresh(agent, 0);		/* logs; the audit tries again */
	return 0;
}

static int by_name(const void *left, const void *right)
{
	const struct target *a = *(struct target *const *)left, *b = *(struct target *const *)right;
	int order = (int)a->uplink - (int)b->uplink;

	return order ? order : strcmp(a->name, b->name);
}

static void follow_one(struct probes *probes, size_t n_sorted, const char *name, bool uplink,
		       const struct probe *probe)
{
	struct target key = { .name = (char *)(uintptr_t)name, .uplink = uplink }, *want = &key;
	struct target **found =
		n_sorted ? bsearch(&want, probes->targets.at, n_sorted, sizeof want, by_name)
			 : NULL;

	if (found && probe_same(&(*found)->probe, probe)) {
		(*found)->kept = true;
	} else {
		struct target *target = probe_target_new(probes, name, uplink, probe);

		PUSH(&probes->targets, target);
	}
}

/* True if the word of one that failed goes with it. */
static bool drop_others(struct probes *probes)
{
	bool failed = false;
	size_t n = 0;

	for (size_t i = 0; i < probes->targets.n; i++) {
		struct target *target = probes->targets.at[i];

		if (target->kept) {
			probes->targets.at[n++] = target;
			continue;
		}
		failed |= target->count.failing;
		probe_target_free(target);
	}
	probes->targets.n = n;
	return failed;
}

/* Targets as the model in force has them. */
static int on_follow(sd_event_source *source, uint64_t usec, void *context)
{
	struct probes *probes = context;
	const struct model *model = &probes->agent->now->model;
	size_t n = probes->targets.n;

	(void)source;
	(void)usec;
	if (n > 0)
		qsort(probes->targets.at, n, sizeof *probes->targets.at, by_name);
	for (size_t i = 0; i < n; i++)
		probes->targets.at[i]->kept = false;
	for (uint32_t i = 0; i < model->uplinks.n; i++)
		if (model->uplinks.at[i].probe)
			follow_one(probes, n, model->uplinks.at[i].name, true,
				   model->uplinks.at[i].probe);
	for (uint32_t i = 0; i < model->bindings.n; i++)
		if (model->bindings.at[i].probe && model->bindings.at[i].name)
			follow_one(probes, n, model->bindings.at[i].name, false,
				   model->bindings.at[i].probe);
	if (drop_others(probes))
		probe_arm(probes->on_result, agent_clock() + PROBE_GATHER_USEC);
	return 0;
}

/* After each event of the loop: did somebody change the configuration? Costs one comparison. */
static int on_change(sd_event_source *source, void *context)
{
	struct probes *probes = context;

	(void)source;
	if (probes->changes != probes->agent->changes) {
		probes->changes = probes->agent->changes;
		probe_arm(probes->on_follow, agent_clock() + FOLLOW_USEC);
	}
	return 0;
}

static int add_timer(struct probes *probes, sd_event_time_handler_t run, sd_event_source **ret)
{
	int r = sd_event_add_time(probes->event, ret, CLOCK_MONOTONIC, 0, 1000, run, probes);

	return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int probe_open(struct sd_event *event, struct agent *agent, struct probes **ret)
{
	struct probes *probes = mem_zero(1, sizeof *probes);
	int r;

	probes->agent = agent;
	probes->event = sd_event_ref(event);
	r = add_timer(probes, on_follow, &probes->on_follow);
	if (r >= 0)
		r = add_timer(probes, on_result, &probes->on_result);
	if (r >= 0)
		r = sd_event_add_post(event, &probes->on_change, on_change, probes);
	if (r < 0) {
		probe_close(probes);
		return r;
	}
	*ret = probes;
	return 0;
}

void probe_close(struct probes *probes)
{
	if (!probes)
		return;
	for (size_t i = 0; i < probes->targets.n; i++)
		probe_target_free(probes->targets.at[i]);
	free(probes->targets.at);
	sd_event_source_disable_unref(probes->on_change);
	sd_event_source_disable_unref(probes->on_follow);
	sd_event_source_disable_unref(probes->on_result);
	sd_event_unref(probes->event);
	free(probes);
}
