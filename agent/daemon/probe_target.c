/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One probe over time: when to ask, by which way, and what the answers come to. It looks up its
 * binding or uplink each time, so that it never holds an index or a pointer into a model that is gone.
 *
 * What is unusable for another reason, or suspended, is not asked: that its probe fails then is no
 * news, and sending from it may be what the operator wants to avoid. Its last word stays.
 */
#include "daemon/probe_parts.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "plan/plan_reason.h"

#include <string.h>
#include <sys/epoll.h>

enum { PROBES_AT_ONCE = 2048, TIMEOUT_MAX_USEC = 5000000, CROWDED_USEC = 20000 };

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

static void end_question(struct target *target)
{
	target->on_io = sd_event_source_disable_unref(target->on_io);
	fd_drop(&target->question.fd);
	target->probes->asking -= target->asking;
	target->asking = false;
}

/* The next question, in step with the first. */
static void wait_for_next(struct target *target)
{
	uint64_t now = agent_clock();

	while (target->due <= now)
		target->due += (uint64_t)target->probe.every_ms * 1000;
	probe_arm(target->timer, target->due);
}

/* The result of a question: count it. */
static void conclude(struct target *target, bool answered)
{
	end_question(target);
	if (probe_count(&target->count, &target->probe, answered))
		probe_arm(target->probes->on_result, agent_clock() + PROBE_GATHER_USEC);
	wait_for_next(target);
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
		probe_find(&agent->now->model, target->name, target->uplink, &index);

	if (!probe || !probe_same(probe, &target->probe))
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
		probe_arm(target->timer, agent_clock() + (patience < TIMEOUT_MAX_USEC
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
		probe_arm(source, agent_clock() + CROWDED_USEC);
	else
		begin(target);
	return 0;
}

/* A new one: its first question comes at a moment of its own, the same share of any interval. */
struct target *probe_target_new(struct probes *probes, const char *name, bool uplink,
				const struct probe *probe)
{
	struct target *target = mem_zero(1, sizeof *target);
	uint64_t every = (uint64_t)probe->every_ms * 1000;
	uint32_t share = (uint32_t)probes->targets.n * 2654435769u;	/* 2^32 / golden ratio */

	target->probes = probes;
	target->name = mem_copy(name);
	target->uplink = uplink;
	target->probe = *probe;
	target->question.fd = FD_NONE;
	target->kept = true;
	target->due = agent_clock() + (every * (share >> 16) >> 16);
	if (sd_event_add_time(probes->event, &target->timer, CLOCK_MONOTONIC, target->due, 1000,
			      on_timer, target) < 0)
		abort();			/* no memory */
	return target;
}

void probe_target_free(struct target *target)
{
	end_question(target);
	sd_event_source_disable_unref(target->timer);
	free(target->name);
	free(target);
}
