/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Suspending and resuming one binding: the change that must be quick among very many bindings. The
 * plan in force is changed in place and taken back if the kernel or the disk refuses. The kernel
 * comes first, as whoever suspends is in a hurry, then the file of names, then the answer.
 *
 * Names of bindings that are not configured now stay in the file: one that comes back is still
 * suspended. Where bindings stand in for each other the whole plan is compiled anew.
 */
#include "daemon/suspend.h"

#include "base/mem.h"
#include "daemon/apply.h"
#include "daemon/log.h"
#include "daemon/seen.h"
#include "plan/plan_suspend.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VERSION_LINE	"outbind-suspended 1\n"

void suspend_drop(struct agent *agent)
{
	for (size_t i = 0; i < agent->suspended.n; i++)
		free(agent->suspended.at[i]);
	free(agent->suspended.at);
	agent->suspended.at = NULL;
	agent->suspended.n = agent->suspended.room = 0;
}

void suspend_facts(struct agent *agent, const struct model *model)
{
	free(agent->facts.suspended);
	agent->facts.suspended = mem_zero(model->bindings.n, sizeof *agent->facts.suspended);
	for (size_t i = 0; i < agent->suspended.n; i++) {
		uint32_t binding = model_find(model, agent->suspended.at[i]);

		if (binding != NO_INDEX)
			agent->facts.suspended[binding] = true;
	}
}

static bool is_name(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)at[i] <= ' ' || at[i] == ':' || at[i] == 0x7f)
			return false;
	return len > 0 && len <= NAME_MAX_BYTES;
}

/* 0, or the number of the line that we did not write. */
static unsigned read_names(struct agent *agent, const char *text, size_t len)
{
	const char *at = text, *end = text + len;
	unsigned line = 1;

	if (len == 0)
		return 0;
	if (strncmp(text, VERSION_LINE, strlen(VERSION_LINE)) != 0)
		return line;
	for (at += strlen(VERSION_LINE); at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		line++;				/* a line without end is a file that was cut off */
		if (!newline || !is_name(at, (size_t)(newline - at)))
			return line;
		PUSH(&agent->suspended, mem_text(at, (size_t)(newline - at)));
		at = newline + 1;
	}
	return 0;
}

int suspend_load(struct agent *agent, struct outcome *out)
{
	AUTO(mem_drop) char *text = NULL;
	unsigned line;
	size_t len;
	int r = state_read(agent->state, STATE_SUSPENDED, &text, &len);

	if (r < 0) {
		outcome_say(out, "cannot read %s/%s: %s", agent->state->dir, STATE_SUSPENDED,
			    strerror(-r));
		return -EBADMSG;
	}
	suspend_drop(agent);
	line = read_names(agent, text, len);
	if (line == 0)
		return 0;
	outcome_say(out, "%s/%s:%u: not a line that outbindd wrote; restore the file, or remove it "
		    "to resume every binding",
		    agent->state->dir, STATE_SUSPENDED, line);
	return -EBADMSG;
}

static int save(const struct agent *agent, struct outcome *out)
{
	AUTO(mem_drop) char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	int r;

	if (!file)
		abort();
	fputs(VERSION_LINE, file);
	for (size_t i = 0; i < agent->suspended.n; i++)
		fprintf(file, "%s\n", agent->suspended.at[i]);
	if (fclose(file) != 0)
		abort();
	r = state_write(agent->state, STATE_SUSPENDED, text, len);
	if (r < 0) {
		outcome_say(out, "cannot write %s/%s: %s", agent->state->dir, STATE_SUSPENDED,
			    strerror(-r));
		log_event(EVENT_STATE_UNWRITABLE, "file=%s/%s error=\"%s\"", agent->state->dir,
			  STATE_SUSPENDED, strerror(-r));
	}
	return r;
}

static void set_name(struct agent *agent, const char *name, bool on)
{
	size_t n = 0;

	if (on) {
		PUSH(&agent->suspended, mem_text(name, strlen(name)));
		return;
	}
	for (size_t i = 0; i < agent->suspended.n; i++)
		if (strcmp(agent->suspended.at[i], name) == 0)
			free(agent->suspended.at[i]);
		else
			agent->suspended.at[n++] = agent->suspended.at[i];
	agent->suspended.n = n;
}

/* If the last step of writing failed the new file is in place: put back the old one if we can. */
static int keep_name(struct agent *agent, const char *name, bool on, struct outcome *out)
{
	AUTO(outcome_drop) struct outcome again = { 0 };
	int r;

	set_name(agent, name, on);
	r = save(agent, out);
	if (r == 0)
		return 0;
	set_name(agent, name, !on);
	(void)!save(agent, &again);
	return r;
}

static int change_in_place(struct agent *agent, uint32_t binding, bool on, struct outcome *out)
{
	struct plan *plan = &agent->now->plan;
	AUTO(suspension_drop) struct suspension change = { 0 }, undone = { 0 };
	int r;

	plan_suspend(plan, binding, on, &change);
	r = apply_in_place(agent, &change.ops, out);
	if (r < 0)
		plan_suspend(plan, binding, !on, &undone);
	else
		agent_changed(agent);
	return r;
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
