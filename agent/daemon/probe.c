/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When to ask, and what the answers come to. A target is a probe of the configuration, known by
 * name: it looks up its binding or uplink each time, so that it never holds an index or a pointer
 * into a model that is gone. Targets follow the configuration a moment after it changed.
 *
 * What is unusable for another reason, or suspended, is not asked: that its probe fails then is no
 * news, and sending from it may be what the operator wants to avoid. Its last word stays.
 */
#include "daemon/probe.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/probe_socket.h"
#include "plan/plan_reason.h"

#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

enum { PROBES_AT_ONCE = 2048, TIMEOUT_MAX_USEC = 5000000, FOLLOW_USEC = 20000, GATHER_USEC = 1000,
       CROWDED_USEC = 20000 };

struct target {
	struct probes *probes;
	char *name;
	bool uplink;				/* the name of an uplink, else of a binding */
	struct probe probe;
	struct probe_count count;
	struct probe_question question;
	sd_event_source *on_io, *timer;
	uint64_t due;				/* usec: when the next question was to be asked */
	bool asking;				/* the timer is the question's end */
	bool unsent;				/* the last one could not be sent: said once */
	bool kept;				/* while following */
};

struct probes {
	struct agent *agent;
	sd_event *event;
	sd_event_source *on_change, *on_follow, *on_result;
	struct { struct target **at; size_t n, room; } targets;
	uint64_t changes;			/* of the agent, that were followed or will be */
	size_t asking;
};

struct probe_failure {				/* what a failing target said, for the facts */
	char *name;
	bool uplink;
	struct probe probe;
};

bool probe_count(struct probe_count *count, const struct probe *probe, bool answered)
{
	uint32_t enough = count->failing ? probe->up : probe->down;

	if (answered != count->failing) {
		count->in_row = 0;
		return false;
	}
	if (++count->in_row < enough)
		return false;
	*count = (struct probe_count){ .failing = !count->failing };
	return true;
}

static bool same_probe(const struct probe *a, const struct probe *b)
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

/* The probe that the model has under that name, or NULL; its index. */
static const struct probe *probe_of(const struct model *model, const char *name, bool uplink,
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
			probe_of(model, failure->name, failure->uplink, &index);

		if (probe && same_probe(probe, &failure->probe))
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

static void end_question(struct target *target)
{
	target->on_io = sd_event_source_disable_unref(target->on_io);
	fd_drop(&target->question.fd);
	target->probes->asking -= target->asking;
	target->asking = false;
}

static void target_free(struct target *target)
{
	end_question(target);
	sd_event_source_disable_unref(target->timer);
	free(target->name);
	free(target);
}

static void arm(sd_event_source *timer, uint64_t at)
{
	(void)sd_event_source_set_time(timer, at);
	(void)sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/* The result of a question: count it, and plan the next one, in step with the first. */
static void conclude(struct target *target, bool answered)
{
	struct probes *probes = target->probes;
	uint64_t every = (uint64_t)target->probe.every_ms * 1000, now = agent_clock();

	end_question(target);
	if (probe_count(&target->count, &target->probe, answered))
		arm(probes->on_result, now + GATHER_USEC);
	while (target->due <= now)
		target->due += every;
	arm(target->timer, target->due);
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct target *target = context;
	int r = probe_hear(&target->probe, &target->question);

	(void)source;
	(void)fd;
	if (r == 0 && revents & (EPOLLERR | EPOLLHUP))
		r = -EIO;
	if (r != 0)
		conclude(target, r > 0);
	return 0;
}

/* From which address and which way; false if it is not to be asked now. */
static bool find_way_of_binding(const struct agent *agent, uint32_t index,
				const struct target *target, struct probe_way *ret)
{
	const struct plan *plan = &agent->now->plan;
	const struct model *model = &agent->now->model;
	const struct binding *binding = &model->bindings.at[index];
	enum family family = ip_family(&target->probe.to);
	enum usable_reason own = plan->usability[index].own[family];
	uint32_t address;

	if ((own != USABLE && own != UNUSABLE_PROBE) || plan->suspended[index])
		return false;
	address = plan_usable_source(model, &agent->facts, index, family);
	if (address == NO_INDEX)
		return false;
	*ret = (struct probe_way){ .mark = plan->marks[index],
				   .from = model->addresses.at[address].ip,
				   .routed = model->addresses.at[address].routed };
	if (binding->uplink < model->uplinks.n) {
		ret->mark = plan->uplink_marks[binding->uplink];
		ret->interface = model->uplinks.at[binding->uplink].interface;
	}
	return true;
}

static bool find_way_of_uplink(const struct agent *agent, uint32_t index,
			       const struct target *target, struct probe_way *ret)
{
	const struct plan *plan = &agent->now->plan;
	enum usable_reason reason = plan->uplinks[index].reason[ip_family(&target->probe.to)];

	*ret = (struct probe_way){ .mark = plan->uplink_marks[index],
				   .interface = agent->now->model.uplinks.at[index].interface };
	return reason == USABLE || reason == UNUSABLE_PROBE;
}

static bool find_way(const struct target *target, struct probe_way *ret)
{
	const struct agent *agent = target->probes->agent;
	uint32_t index;
	const struct probe *probe =
		probe_of(&agent->now->model, target->name, target->uplink, &index);

	if (!probe || !same_probe(probe, &target->probe))
		return false;			/* not followed yet */
	return target->uplink ? find_way_of_uplink(agent, index, target, ret)
			      : find_way_of_binding(agent, index, target, ret);
}

static void say_unsent(struct target *target, int error)
{
	char text[PROBE_TEXT];

	if (!target->unsent)
		log_event(EVENT_PROBE_UNSENT,
			  "name=%s probe=\"%s\" error=\"%s\" next=\"it does not "
			  "count\"",
			  target->name, plan_reason_probe(&target->probe, text), strerror(-error));
	target->unsent = true;
}

/* Skip this time. */
static void wait_for_next(struct target *target)
{
	uint64_t now = agent_clock();

	while (target->due <= now)
		target->due += (uint64_t)target->probe.every_ms * 1000;
	arm(target->timer, target->due);
}

static void begin(struct target *target)
{
	struct probes *probes = target->probes;
	uint64_t patience = (uint64_t)target->probe.every_ms * 1000;
	struct probe_way way;
	int r;

	if (!find_way(target, &way)) {
		wait_for_next(target);
		return;
	}
	r = probe_ask(&target->probe, &way, &target->question);
	if (r < 0 && probe_is_unsent(r)) {
		say_unsent(target, r);
		wait_for_next(target);
		return;
	}
	target->unsent = false;
	target->asking = true;
	probes->asking++;
	if (r == 0)
		r = sd_event_add_io(probes->event, &target->on_io, target->question.fd.n,
				    probe_events(&target->probe), on_answer, target);
	if (r < 0)
		conclude(target, false);
	else
		arm(target->timer, agent_clock() + (patience < TIMEOUT_MAX_USEC
							    ? patience
							    : TIMEOUT_MAX_USEC));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct target *target = context;

	(void)usec;
	if (target->asking)
		conclude(target, false);
	else if (target->probes->asking >= PROBES_AT_ONCE)
		arm(source, agent_clock() + CROWDED_USEC);
	else
		begin(target);
	return 0;
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
			     ((struct probe_failure){ mem_text(target->name, strlen(target->name)),
						      target->uplink, target->probe }));
	}
	probe_facts(agent, &agent->now->model);
	(void)agent_refresh(agent, 0);		/* logs; the audit tries again */
	return 0;
}

/* A new one: its first question comes at a moment of its own, the same share of any interval. */
static void add_target(struct probes *probes, const char *name, bool uplink,
		       const struct probe *probe)
{
	struct target *target = mem_zero(1, sizeof *target);
	uint64_t every = (uint64_t)probe->every_ms * 1000;
	uint32_t share = (uint32_t)probes->targets.n * 2654435769u;	/* 2^32 / golden ratio */

	target->probes = probes;
	target->name = mem_text(name, strlen(name));
	target->uplink = uplink;
	target->probe = *probe;
	target->question.fd = FD_NONE;
	target->kept = true;
	target->due = agent_clock() + (every * (share >> 16) >> 16);
	if (sd_event_add_time(probes->event, &target->timer, CLOCK_MONOTONIC, target->due, 1000,
			      on_timer, target) < 0)
		abort();			/* no memory */
	PUSH(&probes->targets, target);
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

	if (found && same_probe(&(*found)->probe, probe))
		(*found)->kept = true;
	else
		add_target(probes, name, uplink, probe);
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
		target_free(target);
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
		arm(probes->on_result, agent_clock() + GATHER_USEC);
	return 0;
}

/* After each event of the loop: did somebody change the configuration? Costs one comparison. */
static int on_change(sd_event_source *source, void *context)
{
	struct probes *probes = context;

	(void)source;
	if (probes->changes != probes->agent->changes) {
		probes->changes = probes->agent->changes;
		arm(probes->on_follow, agent_clock() + FOLLOW_USEC);
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
		target_free(probes->targets.at[i]);
	free(probes->targets.at);
	sd_event_source_disable_unref(probes->on_change);
	sd_event_source_disable_unref(probes->on_follow);
	sd_event_source_disable_unref(probes->on_result);
	sd_event_unref(probes->event);
	free(probes);
}
