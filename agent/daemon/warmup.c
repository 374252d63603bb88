/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A warm-up lives in three places: the file has the day and what was used up of it, the plan's row
 * has what was left when the element was made, and the element counts from there. An element that
 * has counted less than before is another one (its table was written again): what the old one had
 * counted is then added to what is used up, and the row is made anew with less.
 *
 * Clients with a full day go elsewhere or are refused by the kernel alone; without the agent a day
 * does not end.
 */
#include "daemon/warmup.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/seen.h"
#include "daemon/state_file.h"

#include <string.h>
#include <time.h>

static int64_t wall_clock(void)
{
	return (int64_t)time(NULL);
}

int warmup_load(struct agent *agent, struct outcome *out)
{
	AUTO(mem_drop) char *text = NULL;
	uint32_t line = 0;
	size_t len;
	int r = state_file_read(agent->state, STATE_WARMUP, &text, &len, out);

	if (r < 0)
		return r;
	warmups_drop(&agent->warmups);
	r = warmups_read(text, len, &agent->warmups, &line);
	agent->facts.warmups = &agent->warmups;
	if (r == 0)
		return 0;
	return state_file_refuse(agent->state, STATE_WARMUP, line,
				 "restore the file, or remove it and start the warm-ups again",
				 out);
}

/* @firmly: it must outlive a power loss; else it is a count that the next one replaces. */
static int save(const struct agent *agent, bool firmly, struct outcome *out)
{
	struct state_file file;

	state_file_open(&file);
	warmups_write(&agent->warmups, file.out);
	return state_file_close(&file, agent->state, STATE_WARMUP,
				firmly ? state_write : state_note, out);
}

/* The warm-up that @state is about, if it limits now, and the mark of its binding; or NULL. */
static const struct warmup *limit_of(const struct model *model, const struct plan *plan,
				     const struct warmup_state *state, struct fwmark *ret_mark)
{
	uint32_t binding = model_find(model, state->name);
	const struct warmup *warmup = binding == NO_INDEX ? NULL
							  : model->bindings.at[binding].warmup;

	if (!warmup_limits(state, warmup))
		return NULL;
	*ret_mark = plan->marks[binding];
	return warmup;
}

static bool read_packets(const struct agent *agent, struct fwmark mark, uint64_t *ret)
{
	uint8_t key[sizeof mark.host];
	bool found = false;

	memcpy(key, &mark.host, sizeof key);
	return agent->kernel->read_packets(agent->kernel, SET_WARMUP, key, &found, ret) == 0 &&
	       found;
}

void warmup_look(struct agent *agent, const struct model *model, const struct plan *plan)
{
	for (size_t i = 0; i < agent->warmups.n; i++) {
		struct warmup_state *state = &agent->warmups.at[i];
		struct fwmark mark;
		const struct warmup *warmup = limit_of(model, plan, state, &mark);
		uint64_t packets;

		if (warmup && read_packets(agent, mark, &packets))
			warmup_note(state, warmup, packets);
	}
}

void warmup_keep(struct agent *agent)
{
	AUTO(outcome_drop) struct outcome out = { 0 };

	if (!agent->now || agent->warmups.n == 0)
		return;
	warmup_look(agent, &agent->now->model, &agent->now->plan);
	(void)!save(agent, true, &out);
}

/* What the clock and the kernel say of one warm-up; true if its row must be another one. */
static bool follow(struct agent *agent, struct warmup_state *state, int64_t now, bool *counted)
{
	uint64_t packets, before = state->counted;
	struct fwmark mark;
	const struct warmup *warmup =
		limit_of(&agent->now->model, &agent->now->plan, state, &mark);

	if (!warmup)
		return false;
	if (warmup_advance(state, warmup, now)) {
		if (state->day > warmup->n_days)
			log_event(EVENT_WARMUP_ENDED, "name=%s", state->name);
		else
			log_event(EVENT_WARMUP_DAY, "name=%s day=%u quota=%u", state->name,
				  state->day, warmup_quota(state, warmup));
		return true;
	}
	if (read_packets(agent, mark, &packets) && warmup_count(state, warmup, packets))
		return true;
	*counted |= state->counted != before;
	return false;
}

void warmup_tick(struct agent *agent)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	bool changed = false, counted = false;
	int64_t now = wall_clock();

	for (size_t i = 0; i < agent->warmups.n; i++)
		changed |= follow(agent, &agent->warmups.at[i], now, &counted);
	if (changed || counted)
		(void)!save(agent, changed, &out);	/* logged; the days go on */
	if (changed)
		(void)agent_follow_facts(agent, &out);
}

/* Why @act cannot be, or NULL. */
static const char *impossible(const struct warmup_state *state, const struct warmup *warmup,
			      enum warmup_act act)
{
	if (!warmup)
		return "no `warmup` in its configuration";
	if (act == WARMUP_START)
		return warmup_limits(state, warmup) ? "its warm-up has begun already" : NULL;
	if (!warmup_limits(state, warmup))
		return state ? "its warm-up is over" : "its warm-up has not begun";
	if (state->paused == (act == WARMUP_PAUSE))
		return act == WARMUP_PAUSE ? "its warm-up is paused already"
					   : "its warm-up is not paused";
	return NULL;
}

static void act_on(struct agent *agent, const char *name, enum warmup_act act)
{
	int64_t now = wall_clock();
	struct warmup_state *state = warmups_start(&agent->warmups, name, now);

	if (act == WARMUP_PAUSE) {
		warmup_pause(state, now);
	} else if (act == WARMUP_RESUME) {
		warmup_resume(state, now);
	} else {
		state->day = 1;
		state->since = now;
		state->paused = false;
		state->used = state->counted = 0;
	}
}

int warmup_act(struct agent *agent, uint32_t binding, enum warmup_act act, struct outcome *out)
{
	static const enum log_event events[] = { [WARMUP_START] = EVENT_WARMUP_STARTED,
						 [WARMUP_PAUSE] = EVENT_WARMUP_PAUSED,
						 [WARMUP_RESUME] = EVENT_WARMUP_RESUMED };
	const struct binding *at = &agent->now->model.bindings.at[binding];
	struct warmup_state *state = warmups_find(&agent->warmups, at->name), before;
	const char *why = impossible(state, at->warmup, act);
	bool had = state != NULL;
	int r;

	if (why) {
		outcome_say(out, "binding '%s': %s", at->name, why);
		return -EALREADY;
	}
	before = had ? *state : (struct warmup_state){ .day = at->warmup->n_days + 1 };
	act_on(agent, at->name, act);
	r = save(agent, true, out);
	if (r == 0)
		r = agent_apply_facts(agent, out);
	if (r < 0) {				/* as before; one that was not there is over */
		state = warmups_find(&agent->warmups, at->name);
		before.name = state->name;
		*state = before;
		(void)!save(agent, true, out);
		return r;
	}
	seen_note_now(agent);
	log_event(events[act], "name=%s", at->name);
	return 0;
}
