/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See candidate.h. The order of writes: numbers, so that a mark in a live connection is never
 * forgotten; the kernel; the file of the overlay; then the answer. An agent that is killed between
 * two of them leaves the files of the old state, so the next one brings the kernel back to it, or
 * those of the new one, and the kernel has it.
 */
#include "daemon/candidate.h"

#include "base/mem.h"
#include "daemon/apply.h"
#include "daemon/exporter.h"
#include "daemon/former.h"
#include "daemon/health.h"
#include "daemon/identity.h"
#include "daemon/log.h"
#include "daemon/marks.h"
#include "daemon/plumb.h"
#include "daemon/probe.h"
#include "daemon/runtime.h"
#include "daemon/shares.h"
#include "daemon/suspend.h"
#include "daemon/things.h"
#include "daemon/warn.h"
#include "daemon/ways.h"
#include "plan/plan_keep.h"

#include <string.h>

void candidate_drop(struct candidate *candidate)
{
	generation_free(candidate->generation);
	numbers_drop(&candidate->numbers);
	shares_drop(&candidate->shares);
	texts_free(candidate->texts);
	overlay_drop(&candidate->overlay);
	*candidate = (struct candidate){ 0 };
}

/* Have cgroups follow @model, and its ids in the facts. Without cgroups no rule finds its client.
 * What is suspended is by binding of @model too. */
static int follow(struct agent *agent, const struct model *model, const struct overlay *overlay)
{
	suspend_facts(agent, model, overlay);
	probe_facts(agent, model);
	identity_facts(agent, model);
	if (agent->cgroups) {
		int r = cgroups_follow(agent->cgroups, model);

		if (r == 0)
			cgroups_facts(agent->cgroups, &agent->facts);
		former_save(agent);
		return r;
	}
	free(agent->facts.cgroup_ids);
	agent->facts.cgroup_ids = mem_zero(model->cgroups.n, sizeof *agent->facts.cgroup_ids);
	return 0;
}

int candidate_facts(struct agent *agent, struct outcome *out)
{
	int r = agent->kernel->read_facts(agent->kernel, &agent->facts);

	if (r < 0)
		outcome_say(out, "cannot read addresses, routes and rules of the host: %s",
			    strerror(-r));
	else
		plumb_facts(agent);
	return r;
}

/* Is there nothing in @entry that the files would not say by themselves? Notes if they say anything. */
static bool is_idle(struct overlay_entry *entry, const struct things *files,
		    const struct things *now)
{
	const struct item *item = &entry->item;
	const struct thing *below, *top;

	if (item->kind == ITEM_SUSPEND)
		return false;
	below = things_find(files, item->kind, item->key);
	top = things_find(now, item->kind, item->key);
	entry->hides = below != NULL;
	if (item->remove)
		return !below;
	return below && top && strcmp(below->text, top->text) == 0;
}

/* Drop what the files meanwhile say themselves; false if there is nothing of the kind. */
static bool drop_idle(struct overlay *overlay, const struct things *files,
		      const struct things *now)
{
	struct overlay kept = { 0 };
	bool dropped = false;

	for (size_t i = 0; i < overlay->n; i++) {
		struct overlay_entry *entry = &overlay->at[i];

		if (!entry->item.key)
			continue;
		if (is_idle(entry, files, now))
			dropped = true;
		else
			overlay_put(&kept, overlay_item_copy(&entry->item), entry->hides);
	}
	overlay_drop(overlay);
	*overlay = kept;
	return dropped;
}

/* Compare overlay and files; true if the overlay got shorter and all must be read again. */
static bool settle(const struct agent *agent, struct candidate *candidate)
{
	AUTO(model_drop) struct model model = { 0 };
	AUTO(things_drop) struct things files = { 0 }, now = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	AUTO(mem_drop) struct item *list = NULL;
	struct items items = { 0 };

	if (candidate->overlay.n == 0)
		return false;
	list = mem_zero(candidate->overlay.n, sizeof *list);
	for (size_t i = 0; i < candidate->overlay.n; i++)
		if (candidate->overlay.at[i].item.key)
			list[items.n++] = candidate->overlay.at[i].item;
	items.at = list;
	/* Files that are not valid without the overlay still say what they say. */
	(void)!conf_read(agent->options->config, texts_world(candidate->texts), &model, &diag);
	things_some(&model, &items, &files);
	things_some(&candidate->generation->model, &items, &now);
	return drop_idle(&candidate->overlay, &files, &now);
}

static int read_layers(const struct agent *agent, struct candidate *candidate,
		       struct outcome *out)
{
	const struct texts *texts = candidate->texts ? candidate->texts : agent->texts;
	AUTO(mem_drop) char *text = NULL;
	char name[RUNTIME_NAME];
	struct conf_layer layers[2] = { { .name = "", .text = "" } };
	size_t len;

	generation_free(candidate->generation);
	candidate->generation = mem_zero(1, sizeof *candidate->generation);
	numbers_drop(&candidate->numbers);
	problems_drop(&out->problems);
	marks_copy(&agent->numbers, &candidate->numbers);
	text = overlay_file(&candidate->overlay, &len, &layers[1].len);
	layers[1].name = runtime_name(agent->state, name);
	layers[1].text = text;
	return generation_read(agent->options->config, texts_world(texts), layers,
			       candidate->overlay.n > 0 ? 2 : 0, &candidate->numbers,
			       candidate->generation, &candidate->numbers_changed, out);
}

int candidate_read(struct agent *agent, struct candidate *candidate, bool reload,
		   struct outcome *out)
{
	int r;

	if (reload) {
		texts_free(candidate->texts);
		candidate->texts = texts_new(agent->world);
	}
	r = read_layers(agent, candidate, out);
	if (r < 0 || !reload)
		return r;
	texts_seal(candidate->texts);
	if (!settle(agent, candidate))
		return 0;
	candidate->overlay_changed = true;
	return read_layers(agent, candidate, out);
}

int candidate_plan(struct agent *agent, struct candidate *candidate, struct outcome *out)
{
	struct generation *fresh = candidate->generation;
	int r;

	plumb_expect(agent, fresh);
	r = follow(agent, &fresh->model, &candidate->overlay);
	if (r < 0) {
		outcome_say(out, "cannot watch cgroups: %s", strerror(-r));
		return r;
	}
	shares_drop(&candidate->shares);
	shares_copy(&agent->shares, &candidate->shares);
	shares_assign(&candidate->shares, &fresh->model, &candidate->shares_changed);
	agent->facts.shares = &candidate->shares;
	r = generation_plan(fresh, &agent->facts, &fresh->plan, out);
	agent->facts.shares = &agent->shares;
	if (r == 0 && agent->now)
		plan_keep(&agent->now->plan, &fresh->plan);
	return r;
}

int candidate_save(const struct agent *agent, struct candidate *candidate, struct outcome *out)
{
	bool numbers = candidate->numbers_changed || agent->numbers.torn;
	int r = numbers ? marks_save(agent->state, &candidate->numbers, out) : 0;

	if (r == 0 && candidate->shares_changed)
		r = shares_save(agent->state, &candidate->shares, out);
	return r;
}

int candidate_make(struct agent *agent, struct candidate *candidate, struct outcome *out)
{
	int r = candidate_read(agent, candidate, true, out);

	if (r == 0)
		r = candidate_facts(agent, out);
	if (r == 0)
		r = candidate_plan(agent, candidate, out);
	return r == 0 ? candidate_save(agent, candidate, out) : r;
}

/* The kernel has the candidate's plan: bring back the one in force. */
static void take_back(struct agent *agent, struct candidate *candidate)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	struct generation *old = agent->now;
	char digest[DIGEST_TEXT];
	int r;

	memcpy(digest, agent->digest, sizeof digest);
	plan_digest(&candidate->generation->plan, agent->digest);
	agent->now = candidate->generation;
	r = apply_plan(agent, &old->model, &old->plan, &out);
	agent->now = old;
	memcpy(agent->digest, digest, sizeof digest);
	if (r < 0)
		agent->suspect = true;		/* the audit writes the table again */
}

int candidate_commit(struct agent *agent, struct candidate *candidate, struct outcome *out)
{
	struct generation *fresh = candidate->generation;
	int r;

	plumb_prepare(agent, fresh);
	r = apply_plan(agent, &fresh->model, &fresh->plan, out);
	if (r < 0 || !candidate->overlay_changed)
		return r;
	r = runtime_save(agent->state, &candidate->overlay, out);
	if (r == 0)
		return 0;
	runtime_restore(agent->state, &agent->overlay);
	take_back(agent, candidate);
	return r;
}

static void keep_warnings(struct agent *agent, struct problems *problems)
{
	problems_drop(&agent->warnings);
	agent->warnings = *problems;
	*problems = (struct problems){ 0 };
	for (size_t i = 0; i < agent->warnings.n; i++) {
		struct problem *problem = &agent->warnings.at[i];
		struct problem copy = { mem_copy(problem->place),
					mem_copy(problem->text),
					problem->level };
		char quoted[LOG_TEXT];

		PUSH(problems, copy);
		log_event(EVENT_CONFIG_WARNING, "place=%s text=%s", problem->place,
			  log_quote(problem->text, quoted));
	}
}

void candidate_install(struct agent *agent, struct candidate *candidate, struct outcome *out)
{
	struct generation *old = agent->now;

	agent->now = candidate->generation;
	candidate->generation = old;
	numbers_drop(&agent->numbers);
	agent->numbers = candidate->numbers;
	candidate->numbers = (struct numbers){ 0 };
	shares_drop(&agent->shares);
	agent->shares = candidate->shares;
	candidate->shares = (struct shares){ 0 };
	overlay_drop(&agent->overlay);
	agent->overlay = candidate->overlay;
	candidate->overlay = (struct overlay){ 0 };
	if (candidate->texts) {
		texts_free(agent->texts);
		agent->texts = candidate->texts;
		candidate->texts = NULL;
	}
	agent->generation++;
	agent_changed(agent);
	ways_save(agent);
	health_move(agent, old ? &old->model : NULL);
	health_all(agent);
	plumb_all(agent);
	keep_warnings(agent, &out->problems);
	exporter_follow(agent->exporter);
	if (!old || old->model.mask.host != agent->now->model.mask.host)
		warn_overlaps(agent);
}

void candidate_refuse(struct agent *agent)
{
	if (follow(agent, &agent->now->model, &agent->overlay) < 0)
		agent->stale = true;
	plumb_all(agent);
}
