/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Suspending and resuming one binding: the change that must be quick among very many bindings. The
 * plan in force is changed in place and taken back if the kernel or the disk refuses. The kernel
 * comes first, as whoever suspends is in a hurry, then the file of the overlay, then the answer.
 *
 * Names of bindings that are not configured now stay in the file: one that comes back is still
 * suspended. Where bindings stand in for each other the whole plan is compiled anew.
 */
#include "daemon/suspend.h"

#include "base/mem.h"
#include "daemon/apply.h"
#include "daemon/health.h"
#include "daemon/log.h"
#include "daemon/runtime.h"
#include "daemon/seen.h"
#include "plan/plan_suspend.h"

#include <inttypes.h>

void suspend_facts(struct agent *agent, const struct model *model, const struct overlay *overlay)
{
	free(agent->facts.suspended);
	agent->facts.suspended = mem_zero(model->bindings.n, sizeof *agent->facts.suspended);
	for (size_t i = 0; i < overlay->n; i++) {
		const struct item *item = &overlay->at[i].item;
		uint32_t binding;

		if (!item->key || item->kind != ITEM_SUSPEND)
			continue;
		binding = model_find(model, item->key);
		if (binding != NO_INDEX)
			agent->facts.suspended[binding] = true;
	}
}

static void set_name(struct agent *agent, const char *name, bool on)
{
	if (on)
		overlay_put(&agent->overlay, overlay_suspension(name), false);
	else
		(void)overlay_take(&agent->overlay, ITEM_SUSPEND, name);
}

static int keep_name(struct agent *agent, const char *name, bool on, struct outcome *out)
{
	int r;

	set_name(agent, name, on);
	r = runtime_save(agent->state, &agent->overlay, out);
	if (r == 0)
		return 0;
	set_name(agent, name, !on);
	runtime_restore(agent->state, &agent->overlay);
	return r;
}

static int change_in_place(struct agent *agent, uint32_t binding, bool on, struct outcome *out)
{
	struct plan *plan = &agent->now->plan;
	AUTO(suspension_drop) struct suspension change = { 0 }, undone = { 0 };
	int r;

	plan_suspend(plan, binding, on, &change);
	r = apply_in_place(agent, &change.ops, out);
	if (r < 0) {
		plan_suspend(plan, binding, !on, &undone);
		return r;
	}
	agent_changed(agent);
	health_binding(agent, binding);
	return 0;
}

/* In facts, plan and kernel; or in none of them. */
static int change(struct agent *agent, uint32_t binding, bool on, struct outcome *out)
{
	int r;

	agent->facts.suspended[binding] = on;
	if (agent->now->plan.stand_ins)
		r = agent_apply_facts(agent, out);
	else
		r = change_in_place(agent, binding, on, out);
	if (r < 0)
		agent->facts.suspended[binding] = !on;
	return r;
}

static void undo(struct agent *agent, uint32_t binding, bool on)
{
	AUTO(outcome_drop) struct outcome out = { 0 };

	if (change(agent, binding, !on, &out) == 0)
		return;
	agent->facts.suspended[binding] = !on;	/* the audit sees to it */
	agent->stale = true;
}

int suspend_binding(struct agent *agent, uint32_t binding, bool on, struct outcome *out)
{
	const char *name = agent->now->model.bindings.at[binding].name;
	uint64_t begun = agent->asked ? agent->asked : agent_clock();
	bool wrote;
	int r;

	if (agent->facts.suspended[binding] == on) {
		out->took_usec = agent_clock() - begun;
		return 0;
	}
	r = change(agent, binding, on, out);
	if (r < 0)
		return r;
	out->took_usec = agent_clock() - begun;
	wrote = out->operations > 0 || out->replaced;
	r = keep_name(agent, name, on, out);
	if (r < 0)
		undo(agent, binding, on);
	if (wrote)
		seen_note_now(agent);
	if (r == 0)
		log_event(on ? EVENT_BINDING_SUSPENDED : EVENT_BINDING_RESUMED,
			  "name=%s operations=%zu took_us=%" PRIu64, name, out->operations,
			  out->took_usec);
	return r;
}
