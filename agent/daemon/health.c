/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See health.h. What is compared is the state, not the reason: an address that goes from tentative
 * to duplicate is unusable since it was first that. Suspension is the operator's word and an event
 * of its own: only when he said it is noted beside the state.
 */
#include "daemon/health.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "plan/plan_reason.h"

#include <inttypes.h>
#include <string.h>

struct entries { struct health_entry (*at)[FAMILIES]; size_t n, room; };

struct health {
	struct entries bindings, uplinks;	/* by index into the model in force */
};

struct tally {					/* changes of one comparison */
	size_t logged, unusable, usable;	/* the last two: that were not logged */
	int64_t now_ms;
};

void health_free(struct health *health)
{
	if (!health)
		return;
	free(health->bindings.at);
	free(health->uplinks.at);
	free(health);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void grow(struct entries *entries, size_t n)
{
	entries->at = mem_grow(entries->at, &entries->room, n, sizeof *entries->at);
	while (entries->n < n)
		memset(&entries->at[entries->n++], 0, sizeof *entries->at);
}

static struct health *make(struct agent *agent)
{
	if (!agent->health)
		agent->health = mem_zero(1, sizeof *agent->health);
	return agent->health;
}

static enum health_state state_of(enum usable_reason reason)
{
	if (reason == USABLE)
		return HEALTH_USABLE;
	if (reason == USABLE_BY_OTHER)
		return HEALTH_BY_OTHER;
	return reason == UNUSABLE_NO_ADDRESS ? HEALTH_NONE : HEALTH_UNUSABLE;
}

static void log_binding(const struct agent *agent, uint32_t index, enum family family,
			enum health_state state, int64_t lasted_ms)
{
	const struct model *model = &agent->now->model;
	const char *name = model->bindings.at[index].name;
	uint32_t by = agent->now->plan.usability[index].by[family];
	char reason[PLAN_REASON], quoted[LOG_TEXT];

	if (state == HEALTH_USABLE) {
		log_event(EVENT_BINDING_USABLE, "name=%s family=%s lasted_ms=%" PRId64, name,
			  ip_family_name(family), lasted_ms);
		return;
	}
	plan_reason_say(model, &agent->facts, &agent->now->plan, index, family, reason);
	log_event(EVENT_BINDING_UNUSABLE, "name=%s family=%s reason=%s lasted_ms=%" PRId64
		  " next=\"%s%s\"",
		  name, ip_family_name(family), log_quote(reason, quoted), lasted_ms,
		  state == HEALTH_BY_OTHER ? "new connections leave by " : "refused",
		  state == HEALTH_BY_OTHER ? model->bindings.at[by].name : "");
}

static void log_uplink(const struct agent *agent, uint32_t index, enum family family,
		       enum health_state state, int64_t lasted_ms)
{
	const char *name = agent->now->model.uplinks.at[index].name;
	char reason[PLAN_REASON], quoted[LOG_TEXT];

	if (state == HEALTH_USABLE) {
		log_event(EVENT_UPLINK_USABLE, "name=%s family=%s lasted_ms=%" PRId64, name,
			  ip_family_name(family), lasted_ms);
		return;
	}
	plan_reason_say_uplink(&agent->now->model, &agent->facts, &agent->now->plan, index, family,
			       reason);
	log_event(EVENT_UPLINK_UNUSABLE, "name=%s family=%s reason=%s lasted_ms=%" PRId64, name,
		  ip_family_name(family), log_quote(reason, quoted), lasted_ms);
}

typedef void log_state(const struct agent *agent, uint32_t index, enum family family,
		       enum health_state state, int64_t lasted_ms);

/* What is new says something only if it cannot be used. */
static void compare(const struct agent *agent, struct entries *entries, uint32_t index,
		    enum family family, enum usable_reason reason, log_state *log,
		    struct tally *tally)
{
	struct health_entry *entry = &entries->at[index][family];
	enum health_state state = state_of(reason);
	int64_t lasted;

	if (entry->state == state)
		return;
	lasted = entry->state == HEALTH_NONE ? 0 : tally->now_ms - entry->since_ms;
	if (state != HEALTH_NONE && (entry->state != HEALTH_NONE || state != HEALTH_USABLE)) {
		if (tally->logged < HEALTH_EVENTS_MAX) {
			tally->logged++;
			log(agent, index, family, state, lasted > 0 ? lasted : 0);
		} else if (state == HEALTH_USABLE) {
			tally->usable++;
		} else {
			tally->unusable++;
		}
	}
	entry->since_ms = tally->now_ms;
	entry->state = state;
}

static void compare_binding(struct agent *agent, uint32_t index, struct tally *tally)
{
	const struct plan *plan = &agent->now->plan;
	bool removed = !agent->now->model.bindings.at[index].name;

	for (int f = 0; f < FAMILIES; f++) {
		struct health_entry *entry = &agent->health->bindings.at[index][f];

		compare(agent, &agent->health->bindings, index, (enum family)f,
			removed ? UNUSABLE_NO_ADDRESS : plan->usability[index].reason[f],
			log_binding, tally);
		if (entry->suspended != plan->suspended[index])
			entry->told_ms = tally->now_ms;
		entry->suspended = plan->suspended[index];
	}
}

/* An uplink counts for a family if some binding leaves by it in that family. */
static void compare_uplinks(struct agent *agent, struct tally *tally)
{
	const struct model *model = &agent->now->model;
	bool(*AUTO(mem_drop) used)[FAMILIES] = mem_zero(model->uplinks.n, sizeof *used);

	for (uint32_t i = 0; model->uplinks.n > 0 && i < model->bindings.n; i++)
		for (int f = 0; f < FAMILIES; f++)
			if (model->bindings.at[i].uplink < model->uplinks.n &&
			    agent->now->plan.usability[i].own[f] != UNUSABLE_NO_ADDRESS)
				used[model->bindings.at[i].uplink][f] = true;
	for (uint32_t i = 0; i < model->uplinks.n; i++)
		for (int f = 0; f < FAMILIES; f++)
			compare(agent, &agent->health->uplinks, i, (enum family)f,
				used[i][f] ? agent->now->plan.uplinks[i].reason[f]
					   : UNUSABLE_NO_ADDRESS,
				log_uplink, tally);
}

void health_binding(struct agent *agent, uint32_t index)
{
	struct health *health = make(agent);
	struct tally tally = { .now_ms = now_ms() };

	grow(&health->bindings, agent->now->model.bindings.n);
	compare_binding(agent, index, &tally);
}

void health_all(struct agent *agent)
{
	struct health *health = make(agent);
	const struct model *model = &agent->now->model;
	struct tally tally = { .now_ms = now_ms() };

	grow(&health->bindings, model->bindings.n);
	grow(&health->uplinks, model->uplinks.n);
	compare_uplinks(agent, &tally);
	for (uint32_t i = 0; i < model->bindings.n; i++)
		compare_binding(agent, i, &tally);
	if (tally.usable + tally.unusable > 0)
		log_event(EVENT_BINDING_MORE, "unusable=%zu usable=%zu logged=%zu",
			  tally.unusable, tally.usable, tally.logged);
}

static uint32_t find_uplink(const struct model *model, const char *name)
{
	for (uint32_t i = 0; i < model->uplinks.n; i++)
		if (strcmp(model->uplinks.at[i].name, name) == 0)
			return i;
	return NO_INDEX;
}

void health_move(struct agent *agent, const struct model *old)
{
	struct health *health = make(agent);
	const struct model *model = &agent->now->model;
	struct entries bindings = { 0 }, uplinks = { 0 };

	grow(&bindings, model->bindings.n);
	grow(&uplinks, model->uplinks.n);
	for (uint32_t i = 0; old && i < model->bindings.n; i++) {
		const char *name = model->bindings.at[i].name;
		uint32_t was = name ? model_find(old, name) : NO_INDEX;

		if (was < health->bindings.n)
			memcpy(&bindings.at[i], &health->bindings.at[was], sizeof *bindings.at);
	}
	for (uint32_t i = 0; old && i < model->uplinks.n; i++) {
		uint32_t was = find_uplink(old, model->uplinks.at[i].name);

		if (was < health->uplinks.n)
			memcpy(&uplinks.at[i], &health->uplinks.at[was], sizeof *uplinks.at);
	}
	free(health->bindings.at);
	free(health->uplinks.at);
	health->bindings = bindings;
	health->uplinks = uplinks;
}

int64_t health_since(struct health_entry entry)
{
	return entry.suspended || entry.told_ms > entry.since_ms ? entry.told_ms : entry.since_ms;
}

struct health_entry health_of(const struct agent *agent, uint32_t binding, enum family family)
{
	if (!agent->health || binding >= agent->health->bindings.n)
		return (struct health_entry){ 0 };
	return agent->health->bindings.at[binding][family];
}

struct health_entry health_of_uplink(const struct agent *agent, uint32_t uplink,
				     enum family family)
{
	if (!agent->health || uplink >= agent->health->uplinks.n)
		return (struct health_entry){ 0 };
	return agent->health->uplinks.at[uplink][family];
}
