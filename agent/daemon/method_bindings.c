/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ListBindings, ShowBinding, SuspendBinding, ResumeBinding, ListPolicy. Lists come in pieces; a
 * cursor is the last name that was sent, or for rules a position that is good for one generation,
 * so a client that reads slowly holds no memory of the agent's.
 */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/listing.h"
#include "daemon/suspend.h"
#include "plan/plan_reason.h"

#include <stdio.h>
#include <string.h>

/* In one answer; the second keeps bindings with many addresses within VARLINK_MESSAGE_MAX. */
enum { CHUNK_ITEMS = 200, CHUNK_ADDRESSES = 4000 };

static json_t *json_usable(const struct agent *agent, uint32_t binding, enum family family)
{
	const struct plan *plan = &agent->now->plan;
	char text[PLAN_REASON] = "suspended";

	if (!plan->suspended[binding])
		plan_reason_say(&agent->now->model, &agent->facts, plan, binding, family, text);
	return json_pack("{s:b, s:o}", "usable", plan_usable(plan, binding, family), "reason",
			 method_json(text));
}

static json_t *json_allows(const struct binding *binding)
{
	static const char *const words[] = { [PEER_USER] = "user", [PEER_GROUP] = "group",
					     [PEER_CGROUP] = "cgroup" };
	json_t *list = json_array();

	for (uint32_t i = 0; i < binding->n_allows; i++) {
		const struct allow *allow = &binding->allows[i];
		char text[OUTCOME_TEXT];

		if (allow->kind == PEER_CGROUP || allow->text)
			snprintf(text, sizeof text, "%s %s", words[allow->kind],
				 allow->kind == PEER_CGROUP ? allow->path : allow->text);
		else if (allow->ids.first == allow->ids.last)
			snprintf(text, sizeof text, "%s %u", words[allow->kind], allow->ids.first);
		else
			snprintf(text, sizeof text, "%s %u-%u", words[allow->kind],
				 allow->ids.first, allow->ids.last);
		json_array_append_new(list, method_json(text));
	}
	return list;
}

static json_t *json_addresses(const struct model *model, const struct binding *binding)
{
	json_t *list = json_array();
	char text[PREFIX_TEXT];

	for (uint32_t i = 0; i < binding->n_addresses; i++) {
		const struct address *at = &model->addresses.at[binding->first_address + i];

		json_array_append_new(list, json_string(
			at->routed ? prefix_print(&(struct prefix){ at->ip, at->bits }, text)
				   : ip_print(&at->ip, text)));
	}
	return list;
}

/* `default` that nobody configured: what passes leaves from the host's own addresses. */
static json_t *json_implicit(const struct model *model)
{
	bool suspended = model->default_binding == DEFAULT_SUSPENDED;
	const char *reason = suspended ? "suspended" : "the host's own addresses";

	return json_pack(
		"{s:s, s:i, s:[], s:n, s:n, s:n, s:n, s:s, s:{s:{s:b, s:s}, s:{s:b, s:s}}, s:b, s:i, "
		"s:[], s:n, s:[], s:n, s:n, s:[], s:n, s:s}",
		"name", DEFAULT_BINDING, "mark", 0, "addresses", "ehlo", "ehlo6", "interface", "uplink",
		"unusable", "reject", "usable", "ipv4", "usable", !suspended, "reason", reason,
		"ipv6", "usable", !suspended, "reason", reason, "suspended", (int)suspended,
		"rules", 0, "allow", "group", "limits", "overflow", "warmup", "sender_domains",
		"require", "place", "");
}

static json_t *json_unusable(const struct model *model, const struct binding *binding)
{
	char text[OUTCOME_TEXT];

	if (binding->unusable == UNUSABLE_REJECT)
		return json_string("reject");
	snprintf(text, sizeof text, "use %s", listing_name(model, binding->unusable_use));
	return method_json(text);
}

static json_t *json_member(const struct agent *agent, const struct member *member, uint32_t weights)
{
	const struct plan *plan = &agent->now->plan;

	return json_pack("{s:o, s:I, s:f, s:{s:b, s:b}}", "name",
			 method_json(agent->now->model.bindings.at[member->binding].name),
			 "weight", (json_int_t)member->weight,
			 "share", 100.0 * member->weight / weights, "usable",
			 "ipv4", (int)plan_usable(plan, member->binding, FAMILY_IPV4),
			 "ipv6", (int)plan_usable(plan, member->binding, FAMILY_IPV6));
}

static json_t *json_group(const struct agent *agent, const struct binding_group *group)
{
	static const char *const picks[] = { [PICK_TO] = "sticky-destination",
					     [PICK_CLIENT] = "sticky-client",
					     [PICK_TURN] = "round-robin",
					     [PICK_RANDOM] = "random" };
	json_t *members;
	uint32_t weights = 0;

	if (!group)
		return json_null();
	members = json_array();
	for (uint32_t i = 0; i < group->n_members; i++)
		weights += group->members[i].weight;
	for (uint32_t i = 0; i < group->n_members; i++)
		json_array_append_new(members, json_member(agent, &group->members[i], weights));
	return json_pack("{s:s, s:o}", "pick", picks[group->pick], "members", members);
}

static void add_limit(json_t *list, const char *what, uint32_t n, const char *more)
{
	char text[OUTCOME_TEXT];

	snprintf(text, sizeof text, "%s %u%s", what, n, more);
	json_array_append_new(list, method_json(text));
}

static void add_rate(json_t *list, const struct rate *rate, const char *more)
{
	const char *unit = rate->per == 1 ? "second" : rate->per == 60 ? "minute" :
			   rate->per == 3600 ? "hour" : "day";
	char text[64];

	if (rate->n == 0)
		return;
	snprintf(text, sizeof text, "/%s burst %u%s", unit, rate->burst, more);
	add_limit(list, "new", rate->n, text);
}

/* As the configuration writes them, without the word `limit`. */
static json_t *json_limits(const struct limits *limits)
{
	json_t *list = json_array();

	if (!limits)
		return list;
	if (limits->connections)
		add_limit(list, "connections", limits->connections, "");
	if (limits->connections_to)
		add_limit(list, "connections", limits->connections_to, " per destination");
	add_rate(list, &limits->new, "");
	add_rate(list, &limits->new_to, " per destination");
	return list;
}

static json_t *json_uplink(const struct model *model, const struct binding *binding)
{
	const struct uplink *uplink;

	if (binding->uplink >= model->uplinks.n)
		return json_null();
	uplink = &model->uplinks.at[binding->uplink];
	return json_pack("{s:o, s:o}", "name", method_json(uplink->name), "interface",
			 method_json(uplink->interface));
}

static json_t *json_binding(struct agent *agent, uint32_t index)
{
	const struct model *model = &agent->now->model;
	const struct binding *binding;
	char place[OUTCOME_TEXT];

	if (index == NO_INDEX)
		return json_implicit(model);
	binding = &model->bindings.at[index];
	model_place(model, binding->where, place, sizeof place);
	return json_pack(
		"{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:b, s:I, s:o, s:o, s:o, "
		"s:o, s:o, s:o, s:o, s:o}",
		"name", method_json(binding->name), "mark",
		(json_int_t)agent->now->plan.marks[index].host, "addresses",
		json_addresses(model, binding), "ehlo", method_json(binding->ehlo), "ehlo6",
		method_json(binding->ehlo6), "interface", method_json(binding->interface),
		"uplink", json_uplink(model, binding),
		"unusable", json_unusable(model, binding),
		"usable", "ipv4", json_usable(agent, index, FAMILY_IPV4), "ipv6",
		json_usable(agent, index, FAMILY_IPV6), "suspended",
		(int)agent->now->plan.suspended[index], "rules",
		(json_int_t)method_listing(agent)->rule_counts[index], "allow",
		json_allows(binding), "group", json_group(agent, binding->group), "limits",
		json_limits(binding->limits), "overflow",
		binding->overflow == NO_INDEX ? json_null()
					      : method_json(listing_name(model, binding->overflow)),
		"warmup", method_json_warmup(agent, binding), "sender_domains",
		method_json_domains(binding), "require", method_json_require(binding), "place",
		method_json(place));
}

struct list_stream {
	struct stream stream;
	char *last;				/* bindings: name sent last; NULL at the start */
	size_t position;			/* rules */
	uint64_t generation;			/* rules: of the agent, that position belongs to */
};

static void free_list(struct stream *stream)
{
	struct list_stream *list = (struct list_stream *)stream;

	free(list->last);
	free(list);
}

/* How much a binding adds to an answer, in addresses; a member takes as much as four. */
static size_t weight(const struct binding *binding)
{
	return binding->group ? (size_t)binding->group->n_members * 4 : binding->n_addresses;
}

static void next_bindings(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct list_stream *list = (struct list_stream *)stream;
	const struct listing *listing = method_listing(agent);
	const struct model *model = &agent->now->model;
	size_t at = listing_after(listing, model, list->last), n_addresses = 0;
	json_t *bindings = json_array();

	for (size_t i = 0; i < CHUNK_ITEMS && at < listing->n_bindings; i++, at++) {
		uint32_t index = listing->by_name[at];

		if (n_addresses > CHUNK_ADDRESSES)
			break;
		n_addresses += index == NO_INDEX ? 0 : weight(&model->bindings.at[index]);
		json_array_append_new(bindings, json_binding(agent, index));
	}
	if (at < listing->n_bindings) {
		const char *name = listing_name(model, listing->by_name[at - 1]);

		free(list->last);
		list->last = mem_copy(name);
		ret->continues = true;
	}
	ret->parameters = json_pack("{s:o}", "bindings", bindings);
}

static void next_rules(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct list_stream *list = (struct list_stream *)stream;
	const struct listing *listing = method_listing(agent);
	const struct model *model = &agent->now->model;
	json_t *rules;

	if (list->position > 0 && list->generation != agent->generation) {
		ret->error = OUTBIND_ERROR("Busy");
		ret->parameters = json_pack("{s:s}", "text",
					    "the configuration changed meanwhile: ask again");
		return;
	}
	rules = json_array();
	for (size_t i = 0; i < CHUNK_ITEMS && list->position < model->rules.n; i++)
		json_array_append_new(rules, method_json_rule(model, &model->rules.at[
			listing->by_weight[list->position++]]));
	list->generation = agent->generation;
	ret->continues = list->position < model->rules.n;
	if (!ret->continues && model->default_binding != DEFAULT_UNSAID)
		json_array_append_new(rules, method_json_default(model));
	ret->parameters = json_pack("{s:o}", "rules", rules);
}

static void start_list(struct call *call,
		       void (*next)(struct stream *, struct agent *, struct answer *))
{
	struct list_stream *list = mem_zero(1, sizeof *list);

	list->stream = (struct stream){ .next = next, .free = free_list };
	method_stream(call, &list->stream);
}

void method_list_bindings(struct call *call)
{
	start_list(call, next_bindings);
}

void method_list_policy(struct call *call)
{
	start_list(call, next_rules);
}

void method_show_binding(struct call *call)
{
	uint32_t index;

	if (method_binding(call, method_text(call, "name"), &index) == 0)
		method_reply(call, json_pack("{s:o}", "binding", json_binding(call->agent, index)));
}

static void suspend(struct call *call, bool on)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	uint32_t index;

	if (method_binding(call, method_text(call, "name"), &index) < 0)
		return;
	if (index != NO_INDEX && call->agent->now->model.bindings.at[index].implied)
		index = NO_INDEX;
	if (method_true(call, "dry_run")) {
		method_try_suspend(call, index, on);
		return;
	}
	if (index == NO_INDEX) {
		method_suspend_default(call, on);
		return;
	}
	method_reply_outcome(call, suspend_binding(call->agent, index, on, &out), &out);
}

void method_suspend_binding(struct call *call)
{
	suspend(call, true);
}

void method_resume_binding(struct call *call)
{
	suspend(call, false);
}
