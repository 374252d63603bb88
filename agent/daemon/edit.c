/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See edit.h. The statements of the text are merged into a copy of the overlay, and that is read on
 * top of the files as they were when they were read last: the reader and the checks of a start, so
 * that what a change makes is what a restart will find. Problems are looked for a second time with
 * the text as a layer of its own, for the sake of their places.
 */
#include "daemon/edit.h"

#include "base/mem.h"
#include "daemon/affected.h"
#include "daemon/candidate.h"
#include "daemon/log.h"
#include "daemon/quick.h"
#include "daemon/runtime.h"
#include "daemon/seen.h"
#include "plan/diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct attempt {				/* one change on its way */
	struct agent *agent;
	const struct edit_request *request;
	struct items items;			/* of the text, and what `whole` adds */
	struct things before, after;		/* what they speak of */
	struct candidate candidate;
	struct edit_report *report;
	struct outcome *out;
};

static void attempt_drop(struct attempt *attempt)
{
	items_drop(&attempt->items);
	things_drop(&attempt->before);
	things_drop(&attempt->after);
	candidate_drop(&attempt->candidate);
}

void edit_report_drop(struct edit_report *report)
{
	things_differences_drop(&report->changes);
	for (size_t i = 0; i < report->affected.n; i++)
		free(report->affected.at[i].binding);
	free(report->affected.at);
	*report = (struct edit_report){ 0 };
}

/* Move @diag to the problems; its places are all in the text. */
static void take_problems(const char *name, struct diag *diag, struct outcome *out)
{
	struct model model = { 0 };

	PUSH(&model.files, name);
	problems_take(&out->problems, &model, diag);
	free(model.files.at);
}

static int split(struct attempt *attempt)
{
	const struct edit_request *request = attempt->request;
	struct diag diag = { 0 };
	int r = conf_items(request->name, request->text, strlen(request->text),
			   texts_world(attempt->agent->texts), &attempt->items, &diag);

	take_problems(request->name, &diag, attempt->out);
	return r;
}

/* The statements as they were given, on top of what is below them: what is wrong, and where. */
static void explain(struct attempt *attempt)
{
	const struct agent *agent = attempt->agent;
	const struct overlay *below = attempt->request->whole ? &attempt->candidate.overlay
							      : &agent->overlay;
	AUTO(outcome_drop) struct outcome out = { 0 };
	AUTO(mem_drop) char *text = NULL;
	char name[RUNTIME_NAME];
	struct conf_layer layers[2] = { { attempt->request->name, attempt->request->text,
					  strlen(attempt->request->text) } };
	struct problems spare = attempt->out->problems;
	size_t len;

	text = overlay_file(below, &len, &layers[1].len);
	layers[1].name = runtime_name(agent->state, name);
	layers[1].text = text;
	if (generation_check(agent->options->config, texts_world(agent->texts), layers, 2, &out) ==
	    0)
		return;
	attempt->out->problems = out.problems;
	out.problems = spare;
}

static void say(struct attempt *attempt, const struct item *item, const char *what)
{
	struct diag diag = { 0 };

	diag_error(&diag, item->where, "%s %s %s", item_kind_name(item->kind), item->key, what);
	take_problems(attempt->request->name, &diag, attempt->out);
}

/* What the text does not define, `whole` removes. */
static void add_removals(struct attempt *attempt)
{
	AUTO(things_drop) struct things now = { 0 };
	AUTO(overlay_drop) struct overlay said = { 0 };
	const struct overlay *overlay = &attempt->agent->overlay;

	for (size_t i = 0; i < attempt->items.n; i++)
		overlay_put(&said, overlay_item_copy(&attempt->items.at[i]), false);
	things_all(&attempt->agent->now->model, &now);
	for (size_t i = 0; i < now.n; i++)
		if (now.at[i].kind != ITEM_RELAY && now.at[i].kind != ITEM_DNS &&
		    now.at[i].kind != ITEM_METRICS &&
		    !overlay_find(&said, now.at[i].kind, now.at[i].key))
			PUSH(&attempt->items, overlay_removal(now.at[i].kind, now.at[i].key));
	for (size_t i = 0; i < overlay->n; i++) {
		const struct item *item = &overlay->at[i].item;

		if (item->key && item->kind == ITEM_SUSPEND &&
		    !overlay_find(&said, ITEM_SUSPEND, item->key))
			PUSH(&attempt->items, overlay_removal(ITEM_SUSPEND, item->key));
	}
}

/* Does @item take away what is not there? A binding is no group, and is not removed as one. */
static bool hides_nothing(const struct attempt *attempt, const struct item *item)
{
	const struct thing *thing;

	if (!item->remove)
		return false;
	if (item->kind == ITEM_SUSPEND)
		return !overlay_find(&attempt->agent->overlay, item->kind, item->key);
	thing = things_find(&attempt->before, item->kind, item->key);
	return !thing || (item->kind == ITEM_GROUP && thing->kind != ITEM_GROUP);
}

static int merge(struct attempt *attempt)
{
	AUTO(overlay_drop) struct overlay seen = { 0 };
	const char *wrong = NULL;

	overlay_copy(&attempt->agent->overlay, &attempt->candidate.overlay);
	for (size_t i = 0; i < attempt->items.n; i++) {
		const struct item *item = &attempt->items.at[i];

		if (overlay_find(&seen, item->kind, item->key))
			wrong = "is given twice";
		else if (hides_nothing(attempt, item))
			wrong = "is not there: there is nothing to take away";
		if (wrong) {
			say(attempt, item, wrong);
			explain(attempt);
			return -EINVAL;
		}
		overlay_put(&seen, overlay_item_copy(item), false);
		overlay_merge(&attempt->candidate.overlay, item,
			      things_find(&attempt->before, item->kind, item->key) != NULL);
	}
	return 0;
}

/* Who is to be suspended must be there now, though it may go and come back later. */
static int check_suspensions(struct attempt *attempt)
{
	const struct model *model = &attempt->candidate.generation->model;

	for (size_t i = 0; i < attempt->items.n; i++) {
		const struct item *item = &attempt->items.at[i];

		if (item->kind != ITEM_SUSPEND || item->remove ||
		    model_find(model, item->key) != NO_INDEX)
			continue;
		say(attempt, item, "names a binding that is not defined");
		explain(attempt);
		return -EINVAL;
	}
	return 0;
}

static int read_candidate(struct attempt *attempt)
{
	int r = candidate_read(attempt->agent, &attempt->candidate, false, attempt->out);

	if (r < 0)
		explain(attempt);
	return r;
}

/* What the text says as the files do already is not for the overlay. True if there was any. */
static bool drop_idle(struct attempt *attempt)
{
	bool dropped = false;

	for (size_t i = 0; i < attempt->items.n; i++) {
		const struct item *item = &attempt->items.at[i];
		const struct thing *before, *after;

		if (item->remove || item->kind == ITEM_SUSPEND ||
		    overlay_find(&attempt->agent->overlay, item->kind, item->key))
			continue;
		before = things_find(&attempt->before, item->kind, item->key);
		after = things_find(&attempt->after, item->kind, item->key);
		if (before && after && strcmp(before->text, after->text) == 0)
			dropped |= overlay_take(&attempt->candidate.overlay, item->kind,
						item->key);
	}
	return dropped;
}

static bool overlay_same(const struct overlay *a, const struct overlay *b)
{
	AUTO(mem_drop) char *x = NULL, *y = NULL;
	size_t n, m, definitions;

	x = overlay_text(a, &n, &definitions);
	y = overlay_text(b, &m, &definitions);
	return n == m && memcmp(x, y, n) == 0;
}

static void report_changes(struct attempt *attempt)
{
	struct differences *changes = &attempt->report->changes;
	const struct overlay *old = &attempt->agent->overlay;

	things_compare(&attempt->before, &attempt->after, changes);
	for (size_t i = 0; i < attempt->items.n; i++) {
		const struct item *item = &attempt->items.at[i];
		bool was;

		if (item->kind != ITEM_SUSPEND)
			continue;
		was = overlay_find(old, item->kind, item->key) != NULL;
		if (was == item->remove)
			things_difference_add(changes, was ? "removed" : "added", item->kind,
					      item->key, was ? "suspended" : NULL,
					      was ? NULL : "suspended");
	}
}

/* From text to a candidate with a plan. */
static int prepare(struct attempt *attempt)
{
	struct agent *agent = attempt->agent;
	struct candidate *candidate = &attempt->candidate;
	int r;

	if (attempt->request->whole)
		add_removals(attempt);
	things_some(&agent->now->model, &attempt->items, &attempt->before);
	r = merge(attempt);
	if (r == 0)
		r = read_candidate(attempt);
	if (r == 0)
		r = check_suspensions(attempt);
	if (r < 0)
		return r;
	things_some(&candidate->generation->model, &attempt->items, &attempt->after);
	if (drop_idle(attempt))
		r = read_candidate(attempt);
	candidate->overlay_changed = !overlay_same(&candidate->overlay, &agent->overlay);
	report_changes(attempt);
	if (r < 0)
		return r;
	r = candidate_plan(agent, candidate, attempt->out);
	if (r < 0 && !attempt->out->text[0])
		explain(attempt);
	if (r == 0)
		affected_count(agent, &candidate->generation->model, attempt->report);
	return r;
}

static void count_operations(struct attempt *attempt)
{
	AUTO(ops_drop) struct ops ops = { 0 };

	diff_plans(&attempt->candidate.generation->plan, &attempt->agent->now->plan, &ops);
	attempt->out->operations = ops.n;
}

static int commit(struct attempt *attempt)
{
	struct agent *agent = attempt->agent;
	int r = candidate_save(agent, &attempt->candidate, attempt->out);

	if (r == 0)
		r = candidate_commit(agent, &attempt->candidate, attempt->out);
	if (r < 0)
		return r;
	if (attempt->out->operations > 0 || attempt->out->replaced)
		seen_note_now(agent);
	candidate_install(agent, &attempt->candidate, attempt->out);
	return 0;
}

static void log_change(const struct attempt *attempt, int r)
{
	const struct outcome *out = attempt->out;
	const struct edit_report *report = attempt->report;
	const struct problem *first = out->problems.n > 0 ? &out->problems.at[0] : NULL;
	char quoted[LOG_TEXT];

	if (r < 0 && !attempt->request->dry_run)
		log_event(EVENT_CHANGE_REFUSED, "uid=%u place=%s text=%s",
			  (unsigned)attempt->agent->asked_by,
			  out->place[0] ? out->place : first ? first->place : "-",
			  log_quote(out->text[0] ? out->text : first ? first->text : strerror(-r),
				    quoted));
	else if (r == 0 && !attempt->request->dry_run)
		log_event(EVENT_CHANGE_APPLIED,
			  "uid=%u changes=%zu operations=%zu replaced=%s took_us=%" PRIu64,
			  (unsigned)attempt->agent->asked_by,
			  report->changes.n + report->changes.left_out, out->operations,
			  out->replaced ? "yes" : "no", out->took_usec);
}

int edit_apply(struct agent *agent, const struct edit_request *request,
		 struct edit_report *report, struct outcome *out)
{
	AUTO(attempt_drop) struct attempt attempt = { .agent = agent, .request = request,
						      .report = report, .out = out };
	uint64_t begun = agent->asked ? agent->asked : agent_clock();
	int r = split(&attempt), quick = 0;

	if (r == 0 && !request->whole && !request->dry_run)
		quick = quick_edit(agent, &attempt.items, report, out);
	if (quick != 0) {
		out->took_usec = agent_clock() - begun;
		log_change(&attempt, quick < 0 ? quick : 0);
		return quick < 0 ? quick : 0;
	}
	if (r == 0)
		r = prepare(&attempt);
	if (r == 0 && request->dry_run)
		count_operations(&attempt);
	else if (r == 0)
		r = commit(&attempt);
	if (r < 0 || request->dry_run)
		candidate_refuse(agent);
	out->took_usec = agent_clock() - begun;
	log_change(&attempt, r);
	return r;
}
