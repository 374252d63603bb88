/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How an agent starts: what earlier ones left in the state directory and in the kernel is taken over, and
 * the table stays as it is if it is the one that would be written.
 */
#include "daemon/agent.h"

#include "daemon/apply.h"
#include "daemon/candidate.h"
#include "daemon/former.h"
#include "daemon/identity.h"
#include "daemon/log.h"
#include "daemon/marks.h"
#include "daemon/plumb.h"
#include "daemon/runtime.h"
#include "daemon/seen.h"
#include "daemon/shares.h"
#include "daemon/state_file.h"
#include "daemon/warmup.h"
#include "daemon/ways.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Adopt the table if it is the one we would write; *ret_why says why not. */
static int adopt(struct agent *agent, const struct plan *plan, const struct table_about *about,
		 const char **ret_why, struct outcome *out)
{
	struct kernel_error error = { 0 };
	char digest[DIGEST_TEXT];
	int r;

	plan_digest(plan, digest);
	*ret_why = apply_damage(agent, about, digest);
	if (!*ret_why && !seen_same(agent, about->generation))
		*ret_why = "not-watched";
	if (*ret_why)
		return 0;
	r = agent->kernel->adopt_table(agent->kernel, &error);
	if (r == -EPERM) {
		outcome_say(out, "table inet %s was claimed by another program: %s",
			    agent->options->kernel.table, error.text);
		return -EBUSY;
	}
	if (r < 0) {
		*ret_why = r == -EOPNOTSUPP ? "unowned" : "not-adoptable";
		return 0;
	}
	log_event(EVENT_TABLE_ADOPTED, "table=%s digest=%s", agent->options->kernel.table, digest);
	return 0;
}

static int first_table(struct agent *agent, const struct candidate *candidate,
		       const struct table_about *about, struct outcome *out)
{
	const struct plan *plan = &candidate->generation->plan;
	const char *why = NULL;
	int r = adopt(agent, plan, about, &why, out);

	if (r < 0 || !why)
		return r;
	r = apply_table(agent, &candidate->generation->model, plan, out);
	if (r == 0)
		log_event(EVENT_TABLE_WRITTEN, "table=%s why=%s", agent->options->kernel.table,
			  why);
	return r;
}

/* What earlier agents left in the state directory. */
static int load_state(struct agent *agent, struct candidate *candidate, struct outcome *out)
{
	int r = marks_load(agent->state, &agent->numbers, out);

	marks_ask(&agent->numbers, agent->kernel);
	if (r == 0)
		r = shares_load(agent->state, &agent->shares, out);
	if (r == 0)
		r = warmup_load(agent, out);
	if (r == 0)
		identity_load(agent);
	if (r == 0)
		former_load(agent);
	if (r == 0)
		r = runtime_load(agent->state, agent->world, &candidate->overlay, out);
	candidate->overlay_changed = state_has(agent->state, STATE_SUSPENDED);
	return r;
}

int agent_start(struct agent *agent, struct outcome *out)
{
	AUTO(candidate_drop) struct candidate candidate = { 0 };
	uint64_t begun = agent_clock();
	struct table_about about;
	int r = agent->kernel->read_table(agent->kernel, &about);

	if (r < 0) {
		outcome_say(out, "cannot read the table: %s", strerror(-r));
		return r;
	}
	r = apply_foreign(agent, &about, out);
	if (r == 0)
		r = state_file_check(agent->state, out);
	if (r == 0)
		r = load_state(agent, &candidate, out);
	if (r == 0)
		r = candidate_make(agent, &candidate, out);
	if (r == 0)
		r = candidate.overlay_changed
			  ? runtime_save(agent->state, &candidate.overlay, out) : 0;
	if (r < 0)
		return r;
	plumb_prepare(agent, candidate.generation);
	ways_load(agent, &candidate.generation->plan);
	r = first_table(agent, &candidate, &about, out);
	if (r < 0)
		return r;
	seen_note_now(agent);
	candidate_install(agent, &candidate, out);
	agent->started = agent->applied;
	out->took_usec = agent_clock() - begun;
	snprintf(agent->last_reload, sizeof agent->last_reload, "ok");
	log_event(EVENT_AGENT_STARTED,
		  "version=%s table=%s bindings=%zu rules=%zu changed=%zu owned=%s took_us=%" PRIu64,
		  OUTBIND_VERSION, agent->options->kernel.table, agent->now->model.bindings.n,
		  agent->now->model.rules.n, agent->overlay.n - agent->overlay.n_dead,
		  agent_owns_table(agent) ? "yes" : "no", out->took_usec);
	return 0;
}
