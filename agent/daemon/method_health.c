/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Health: what can be used, why not, and since when; uplinks first, then bindings by name. */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/health.h"
#include "daemon/listing.h"
#include "plan/plan_reason.h"

#include <string.h>

enum { CHUNK_ITEMS = 200 };			/* bindings and uplinks in one answer */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "usable", ...; @entry is not HEALTH_NONE, or suspended. */
static json_t *json_health(const char *kind, const char *name, enum family family,
			   struct health_entry entry, const char *state, const char *reason,
			   const char *by)
{
	int64_t since_ms = health_since(entry), ago = now_ms() - since_ms;
	struct timespec since = { .tv_sec = since_ms / 1000,
				  .tv_nsec = since_ms % 1000 * 1000000 };

	return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:I, s:o}", "kind", kind, "name",
			 method_json(name), "family", ip_family_name(family),
			 "state", state, "reason", method_json(reason), "since",
			 method_json_time(&since), "for_ms", (json_int_t)(ago > 0 ? ago : 0), "by",
			 method_json(by));
}

static const char *const states[] = { [HEALTH_USABLE] = "usable", [HEALTH_BY_OTHER] = "stand-in",
				      [HEALTH_UNUSABLE] = "unusable" };

/* `default` without addresses of its own: what it stands for has the host's, and is refused now. */
static void add_implied(const struct agent *agent, uint32_t index, json_t *list)
{
	const char *name = agent->now->model.bindings.at[index].name;

	for (int f = 0; f < FAMILIES; f++)
		json_array_append_new(list, json_health("binding", name, (enum family)f,
							health_of(agent, index, (enum family)f),
							"suspended", "usable", NULL));
}

static void add_binding(const struct agent *agent, uint32_t index, json_t *list)
{
	const struct model *model = &agent->now->model;
	const struct plan *plan = &agent->now->plan;
	const struct binding *binding = &model->bindings.at[index];

	if (binding->implied && plan->suspended[index]) {
		add_implied(agent, index, list);
		return;
	}
	for (int f = 0; f < FAMILIES; f++) {
		struct health_entry entry = health_of(agent, index, (enum family)f);
		char reason[PLAN_REASON];

		if (entry.state == HEALTH_NONE)
			continue;
		plan_reason_say(model, &agent->facts, plan, index, (enum family)f, reason);
		json_array_append_new(
			list,
			json_health(binding->group ? "group" : "binding", binding->name,
				    (enum family)f, entry,
				    plan->suspended[index] ? "suspended" : states[entry.state],
				    reason,
				    entry.state == HEALTH_BY_OTHER
					    ? listing_name(model, plan->usability[index].by[f])
					    : NULL));
	}
}

static void add_uplink(const struct agent *agent, uint32_t index, json_t *list)
{
	const struct model *model = &agent->now->model;

	for (int f = 0; f < FAMILIES; f++) {
		struct health_entry entry = health_of_uplink(agent, index, (enum family)f);
		char reason[PLAN_REASON];

		if (entry.state == HEALTH_NONE)
			continue;
		plan_reason_say_uplink(model, &agent->facts, &agent->now->plan, index,
				       (enum family)f, reason);
		json_array_append_new(list, json_health("uplink", model->uplinks.at[index].name,
							(enum family)f, entry, states[entry.state],
							reason, NULL));
	}
}

struct health_stream {
	struct stream stream;
	uint32_t uplinks;			/* that were sent */
	char *last;				/* binding that was sent last; NULL: none yet */
};

static void free_health(struct stream *stream)
{
	struct health_stream *health = (struct health_stream *)stream;

	free(health->last);
	free(health);
}

static void next_health(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct health_stream *health = (struct health_stream *)stream;
	const struct listing *listing = method_listing(agent);
	const struct model *model = &agent->now->model;
	json_t *list = json_array();
	size_t at = listing_after(listing, model, health->last);
	int n = 0;

	for (; health->uplinks < model->uplinks.n && n < CHUNK_ITEMS; n++)
		add_uplink(agent, health->uplinks++, list);
	for (; at < listing->n_bindings && n < CHUNK_ITEMS; n++, at++) {
		const char *name = listing_name(model, listing->by_name[at]);

		if (listing->by_name[at] != NO_INDEX)
			add_binding(agent, listing->by_name[at], list);
		free(health->last);
		health->last = mem_copy(name);
	}
	ret->continues = health->uplinks < model->uplinks.n || at < listing->n_bindings;
	ret->parameters = json_pack("{s:o}", "health", list);
}

static uint32_t find_uplink(const struct model *model, const char *name)
{
	for (uint32_t i = 0; i < model->uplinks.n; i++)
		if (strcmp(model->uplinks.at[i].name, name) == 0)
			return i;
	return NO_INDEX;
}

/* A binding or group, an uplink, or one of each with the same name. */
static void answer_one(struct call *call, const char *name)
{
	const struct model *model = &call->agent->now->model;
	uint32_t binding = model_find(model, name), uplink = find_uplink(model, name);
	json_t *list;

	if (binding == NO_INDEX && uplink == NO_INDEX && strcmp(name, DEFAULT_BINDING) != 0) {
		method_fail_unknown(call, name);
		return;
	}
	list = json_array();
	if (uplink != NO_INDEX)
		add_uplink(call->agent, uplink, list);
	if (binding != NO_INDEX)
		add_binding(call->agent, binding, list);
	method_reply(call, json_pack("{s:o}", "health", list));
}

void method_health(struct call *call)
{
	const char *name = method_text(call, "name");
	struct health_stream *health;

	if (name) {
		answer_one(call, name);
		return;
	}
	health = mem_zero(1, sizeof *health);
	health->stream = (struct stream){ .next = next_health, .free = free_health };
	method_stream(call, &health->stream);
}
