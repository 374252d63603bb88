/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in force, and how it changes. Every change is made aside (a fresh generation, a copy of
 * the numbers, a fresh plan), committed to the kernel in one transaction, and only then put in the
 * place of the old one: whatever fails on the way leaves the running state as it was (candidate.c).
 *
 * Reading the configuration and building the plan block the loop; the data path does not wait for
 * them. Neighbours: agent_start.c, apply.c (transactions), watch.c (when), control.c (who asks).
 */
#include "daemon/agent.h"

#include "daemon/apply.h"
#include "daemon/candidate.h"
#include "daemon/flow_log.h"
#include "daemon/former.h"
#include "daemon/health.h"
#include "daemon/listing.h"
#include "daemon/log.h"
#include "daemon/probe.h"
#include "daemon/ranking.h"
#include "daemon/remove.h"
#include "daemon/seen.h"
#include "daemon/sources.h"
#include "daemon/ways.h"
#include "plan/plan_keep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

uint64_t agent_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t agent_resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	uint64_t pages = 0;

	if (file && fscanf(file, "%*d %" SCNu64, &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool agent_owns_table(const struct agent *agent)
{
	return agent->kernel->features.persist && !agent->options->kernel.no_owner;
}

const char *agent_cgroup_path(void *context, uint64_t id)
{
	const struct agent *agent = context;

	return agent && agent->cgroups ? cgroups_path_of(agent->cgroups, id) : NULL;
}

void agent_changed(struct agent *agent)
{
	plan_digest(&agent->now->plan, agent->digest);
	clock_gettime(CLOCK_REALTIME, &agent->applied);
	agent->changes++;
	listing_free(agent->listing);
	agent->listing = NULL;
	agent->stale = false;
}

static void log_refusal(const struct outcome *out)
{
	char quoted[LOG_TEXT];

	for (size_t i = 0; i < out->problems.n; i++) {
		const struct problem *problem = &out->problems.at[i];

		if (problem->level == DIAG_ERROR)
			log_event(EVENT_CONFIG_PROBLEM, "place=%s text=%s", problem->place,
				  log_quote(problem->text, quoted));
	}
	log_event(EVENT_CONFIG_REFUSED, "place=%s text=%s next=\"the running state stays\"",
		  out->place[0] ? out->place : "-",
		  log_quote(out->text[0] ? out->text : "the configuration is not valid", quoted));
}

/* The first of what is wrong, for doctor: the log may be long gone when somebody wonders. */
static void keep_refusal(struct agent *agent, const struct outcome *out)
{
	const char *place = out->place, *text = out->text;
	size_t more = out->problems.left_out;
	char rest[64] = "";

	for (size_t i = out->problems.n; i-- > 0;) {
		if (out->problems.at[i].level != DIAG_ERROR)
			continue;
		place = out->problems.at[i].place;
		text = out->problems.at[i].text;
		more++;
	}
	if (more > 1)
		(void)snprintf(rest, sizeof rest, ", and %zu more", more - 1);
	(void)snprintf(agent->refusal, sizeof agent->refusal, "%.200s%s%.240s%s", place,
		       *place ? ": " : "", text, rest);
}

/* A change that came to nothing: cgroups follow the model in force again. */
static int refuse_reload(struct agent *agent, int r, struct outcome *out)
{
	candidate_refuse(agent);
	keep_refusal(agent, out);
	if (out->text[0])
		snprintf(agent->last_reload, sizeof agent->last_reload, "refused: %.400s",
			 out->text);
	else
		snprintf(agent->last_reload, sizeof agent->last_reload,
			 "refused: %zu problem%s in the configuration",
			 out->problems.n + out->problems.left_out,
			 out->problems.n + out->problems.left_out == 1 ? "" : "s");
	log_refusal(out);
	return r;
}

static int reload(struct agent *agent, struct outcome *out)
{
	AUTO(candidate_drop) struct candidate candidate = { 0 };
	uint64_t begun = agent_clock();
	int r;

	overlay_copy(&agent->overlay, &candidate.overlay);
	r = candidate_make(agent, &candidate, out);
	if (r == 0)
		r = candidate_commit(agent, &candidate, out);
	if (r < 0)
		return refuse_reload(agent, r, out);
	if (out->operations > 0 || out->replaced)
		seen_note_now(agent);
	candidate_install(agent, &candidate, out);
	out->took_usec = agent_clock() - begun;
	snprintf(agent->last_reload, sizeof agent->last_reload, "ok");
	agent->refusal[0] = '\0';
	log_event(EVENT_CONFIG_APPLIED,
		  "generation=%" PRIu64 " operations=%zu replaced=%s bindings=%zu"
		  " rules=%zu took_us=%" PRIu64,
		  agent->generation, out->operations, out->replaced ? "yes" : "no",
		  agent->now->model.bindings.n, agent->now->model.rules.n, out->took_usec);
	return 0;
}

/* The flow log is opened anew even if the configuration is refused: its file was renamed by now. */
int agent_reload(struct agent *agent, struct outcome *out)
{
	int r = reload(agent, out);

	flow_log_use(agent, agent->now->model.flow_log);
	return r;
}

int agent_apply_facts(struct agent *agent, struct outcome *out)
{
	struct plan plan = { 0 };
	int r = generation_plan(agent->now, &agent->facts, &plan, out);

	if (r < 0) {
		outcome_say(out, "%s", out->problems.n ? out->problems.at[0].text : strerror(-r));
		return r;
	}
	plan_keep(&agent->now->plan, &plan);
	r = apply_plan(agent, &agent->now->model, &plan, out);
	if (r == 0) {
		plan_drop(&agent->now->plan);
		agent->now->plan = plan;
		agent_changed(agent);
		ways_save(agent);
		health_all(agent);
	} else {
		plan_drop(&plan);
	}
	return r;
}

int agent_follow_facts(struct agent *agent, struct outcome *out)
{
	char quoted[LOG_TEXT];
	int r = agent_apply_facts(agent, out);

	agent->stale |= r < 0;
	if (r < 0)
		log_event(EVENT_FACTS_REFUSED, "place=%s text=%s next=retry",
			  out->place[0] ? out->place : "-", log_quote(out->text, quoted));
	else if (out->operations > 0 || out->replaced)
		seen_note_now(agent);
	return r;
}

int agent_refresh(struct agent *agent, unsigned kinds)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	uint64_t begun = agent_clock();
	char quoted[LOG_TEXT];
	int r = kinds & FACTS_KERNEL ? candidate_facts(agent, &out) : 0;

	if (r < 0)
		log_event(EVENT_FACTS_UNREADABLE, "text=%s next=retry",
			  log_quote(out.text, quoted));
	if (r == 0 && kinds & FACTS_CGROUPS && agent->cgroups)
		cgroups_facts(agent->cgroups, &agent->facts);
	former_save(agent);
	if (r == 0)
		r = agent_follow_facts(agent, &out);
	agent->stale = r < 0;
	if (r == 0 && (out.operations > 0 || out.replaced))
		log_event(EVENT_FACTS_APPLIED, "operations=%zu replaced=%s took_us=%" PRIu64,
			  out.operations, out.replaced ? "yes" : "no", agent_clock() - begun);
	return r;
}

int agent_settle(struct agent *agent)
{
	struct facts now = { 0 };
	size_t n = agent->now->model.cgroups.n;
	bool changed;
	int r;

	if (!agent->cgroups)
		return 0;
	r = cgroups_read(agent->cgroups, &changed);
	if (r < 0) {
		log_event(EVENT_CGROUPS_FAILED, "error=\"%s\" next=retry", strerror(-r));
		return r;
	}
	/* The events may have been taken already, and wait for others to be applied together. */
	cgroups_facts(agent->cgroups, &now);
	changed = changed || agent->stale || now.n_execs != agent->facts.n_execs ||
		  now.n_formers != agent->facts.n_formers ||
		  memcmp(now.cgroup_ids, agent->facts.cgroup_ids, n * sizeof *now.cgroup_ids);
	for (size_t i = 0; i < now.n_formers && !changed; i++)
		changed = now.formers[i].id != agent->facts.formers[i].id;
	for (size_t i = 0; i < now.n_execs && !changed; i++)
		changed = now.execs[i].id != agent->facts.execs[i].id;
	free(now.cgroup_ids);
	free(now.formers);
	free(now.execs);
	return changed ? agent_refresh(agent, FACTS_CGROUPS) : 0;
}

int agent_heal(struct agent *agent, const char *why, bool foreign)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	struct table_about about;
	const char *damage;
	char quoted[LOG_TEXT];
	int r = agent->kernel->read_table(agent->kernel, &about);

	agent->suspect = true;
	if (r < 0) {
		log_event(EVENT_TABLE_UNREADABLE, "error=\"%s\" next=retry", strerror(-r));
		return r;
	}
	r = apply_foreign(agent, &about, &out);
	if (r < 0) {
		log_event(EVENT_TABLE_TAKEN, "text=%s next=retry", log_quote(out.text, quoted));
		return r;
	}
	damage = apply_damage(agent, &about, agent->digest);
	if (!damage && foreign)
		damage = "changed";
	agent->suspect = damage != NULL;
	if (!damage) {
		if (agent_owns_table(agent))
			seen_note(agent, about.generation);
		return 0;
	}
	r = apply_table(agent, &agent->now->model, &agent->now->plan, &out);
	agent->heals += r == 0;
	agent->suspect = r < 0;
	if (r == 0)
		seen_note_now(agent);
	log_event(EVENT_TABLE_HEALED, "why=%s damage=%s result=%s", why, damage,
		  r == 0 ? "written" : log_quote(out.text, quoted));
	return r;
}

void agent_drop(struct agent *agent)
{
	generation_free(agent->now);
	agent->now = NULL;
	numbers_drop(&agent->numbers);
	shares_drop(&agent->shares);
	warmups_drop(&agent->warmups);
	identities_drop(&agent->identities);
	facts_drop(&agent->facts);
	probe_drop(agent);
	health_free(agent->health);
	agent->health = NULL;
	overlay_drop(&agent->overlay);
	texts_free(agent->texts);
	agent->texts = NULL;
	problems_drop(&agent->warnings);
	free(agent->ways);
	agent->ways = NULL;
	remove_drop(agent);
	free(agent->alarm);
	free(agent->capacity);
	agent->capacity = NULL;
	agent->alarm = NULL;
	sources_free(agent->sources);
	agent->sources = NULL;
	listing_free(agent->listing);
	agent->listing = NULL;
	ranking_free(agent->ranking);
	agent->ranking = NULL;
}
