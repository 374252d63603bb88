/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capture: a table of rules for as long as the caller's connection lasts. What is captured is read by
 * the caller, from the kernel; nothing of it comes through the agent.
 *
 * Limits: what the numbers of bindings are is said once; a reload that changes members of a group, or
 * a unit that gets another cgroup, is not followed.
 */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/listing.h"
#include "daemon/log.h"
#include "daemon/seen.h"
#include "plan/explain.h"

#include <stdio.h>
#include <string.h>

enum { CAPTURES_MAX = 8 };

struct numbered { uint32_t at[CAPTURE_MARKS_MAX]; size_t n; };	/* bindings, by index */

struct capture_stream {
	struct stream stream;
	struct agent *agent;
	struct capture *capture;
	unsigned group;
	json_t *first;				/* the only answer, until it was given */
};

static void free_capture(struct stream *stream)
{
	struct capture_stream *running = (struct capture_stream *)stream;
	struct agent *agent = running->agent;

	agent->kernel->end_capture(agent->kernel, running->capture);
	agent->captures--;
	log_event(EVENT_CAPTURE_ENDED, "group=%u", running->group);
	seen_note_now(agent);			/* the ruleset changed, and not by somebody else */
	json_decref(running->first);
	free(running);
}

static void next_capture(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct capture_stream *running = (struct capture_stream *)stream;

	(void)agent;
	ret->waits = !running->first;
	ret->continues = running->first != NULL;
	ret->parameters = running->first;
	running->first = NULL;
}

static void add_number(struct numbered *numbered, uint32_t binding)
{
	for (size_t i = 0; i < numbered->n; i++)
		if (numbered->at[i] == binding)
			return;
	if (numbered->n < CAPTURE_MARKS_MAX)
		numbered->at[numbered->n++] = binding;
}

/* A binding, or the members of a group. */
static void add_binding(const struct model *model, struct numbered *numbered, uint32_t index)
{
	const struct binding_group *group = model->bindings.at[index].group;

	if (!group)
		add_number(numbered, index);
	for (uint32_t i = 0; group && i < group->n_members; i++)
		add_number(numbered, group->members[i].binding);
}

/* Those first that rules of this client name; then all others, as far as there is room. */
static void add_of_client(struct call *call, struct numbered *numbered, const char *client)
{
	const struct model *model = &call->agent->now->model;

	for (size_t i = 0; i < model->rules.n && numbered->n < CAPTURE_MARKS_MAX; i++) {
		const struct rule *rule = &model->rules.at[i];
		AUTO(rule_words_drop) struct rule_words words = { 0 };

		if (rule->action != ACTION_USE || rule->binding == NO_INDEX)
			continue;
		words = listing_words(model, rule);
		if (strcmp(words.client, client) == 0)
			add_binding(model, numbered, rule->binding);
	}
	for (uint32_t i = 0; i < model->bindings.n && numbered->n < CAPTURE_MARKS_MAX; i++)
		if (model->bindings.at[i].name && !model->bindings.at[i].group)
			add_number(numbered, i);
}

/* The client's parameter: its name and, as rules are written, its text. False: not exactly one. Of a
 * process it is what its user sends from its cgroup. */
static bool find_client(const struct call *call, const char **ret_kind,
			char text[static OUTCOME_TEXT])
{
	static const char *const kinds[] = { "binding", "unit", "cgroup", "source", "user" };
	const char *of_process = method_text(call, "process_cgroup"), *user;
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (method_text(call, kinds[i])) {
			*ret_kind = kinds[i];
			(void)snprintf(text, OUTCOME_TEXT, "%s %s", kinds[i],
				       method_text(call, kinds[i]));
			n++;
		}
	if (!of_process)
		return n == 1;
	user = method_text(call, "user");
	*ret_kind = "process_cgroup";
	(void)snprintf(text, OUTCOME_TEXT, "user %s in cgroup %s", user ? user : "-", of_process);
	return n == 1 && user;
}

/* Who sends, into @wanted. False with the answer set. */
static bool take_client(struct call *call, const char *kind, struct capture_wanted *wanted)
{
	const char *source = method_text(call, "source");
	struct packet packet = { 0 };

	if (source && prefix_parse(source, &wanted->source) < 0) {
		method_fail_parameter(call, "source");
		return false;
	}
	if (strcmp(kind, "source") == 0)
		return true;
	if (!method_take_sender(call, &packet))
		return false;
	wanted->cgroup = packet.cgroups[0];
	wanted->has_user = packet.has_uid;
	wanted->user = packet.uid;
	return true;
}

static json_t *json_numbers(const struct agent *agent, const struct numbered *numbered)
{
	json_t *list = json_array();

	for (size_t i = 0; i < numbered->n; i++)
		json_array_append_new(list, json_pack("{s:I, s:o}", "mark",
			(json_int_t)agent->now->plan.marks[numbered->at[i]].host, "binding",
			method_json(agent->now->model.bindings.at[numbered->at[i]].name)));
	return list;
}

static void fail_start(struct call *call, int r, const struct kernel_error *error)
{
	if (r == -EEXIST)
		method_fail(call, OUTBIND_ERROR("Busy"),
			    json_pack("{s:s}", "text",
				      "this netlink group is captured to already"));
	else
		answer_refuse(&call->answer, error->text[0] ? error->text : strerror(-r));
}

/* Everything is known: make the rules. */
static void start(struct call *call, struct capture_wanted *wanted,
		  const struct numbered *numbered, const char *client)
{
	struct agent *agent = call->agent;
	struct fwmark marks[CAPTURE_MARKS_MAX];
	struct kernel_error error = { 0 };
	struct capture_stream *running;
	struct capture *capture = NULL;
	char table[64], quoted[LOG_TEXT];
	int r;

	for (size_t i = 0; i < numbered->n; i++)
		marks[i] = agent->now->plan.marks[numbered->at[i]];
	wanted->marks = marks;
	wanted->n_marks = numbered->n;
	wanted->mask = agent->now->plan.mask;
	wanted->pass = agent->now->plan.pass;
	r = agent->kernel->start_capture(agent->kernel, wanted, &capture, &error);
	if (r < 0) {
		fail_start(call, r, &error);
		return;
	}
	agent->captures++;
	seen_note_now(agent);
	log_event(EVENT_CAPTURE_STARTED, "client=%s group=%u uid=%u",
		  log_quote(client, quoted), wanted->group, agent->asked_by);
	(void)snprintf(table, sizeof table, "%s.capture%u", agent->options->kernel.table,
		       wanted->group);
	running = mem_zero(1, sizeof *running);
	running->stream = (struct stream){ .next = next_capture, .free = free_capture };
	running->agent = agent;
	running->capture = capture;
	running->group = wanted->group;
	running->first = json_pack("{s:s, s:o}", "table", table, "numbers",
				   json_numbers(agent, numbered));
	method_stream(call, &running->stream);
}

void method_capture(struct call *call)
{
	struct capture_wanted wanted = { 0 };
	struct numbered numbered = { 0 };
	const char *binding = method_text(call, "binding"), *kind = "";
	char client[OUTCOME_TEXT] = "";
	json_int_t group = 0;
	uint32_t index;

	if (!method_number_within(call, "group", 1, UINT16_MAX, &group))
		return;
	if (!find_client(call, &kind, client)) {
		method_fail_parameter(call, *kind ? kind : "binding");
		return;
	}
	if (call->agent->captures >= CAPTURES_MAX) {
		method_fail(call, OUTBIND_ERROR("Busy"),
			    json_pack("{s:s}", "text", "as many captures run as there may be"));
		return;
	}
	wanted.group = (uint16_t)group;
	if (binding && method_binding(call, binding, &index) < 0)
		return;
	if (binding && index == NO_INDEX) {
		method_fail_unknown(call, binding);
		return;
	}
	if (binding)
		add_binding(&call->agent->now->model, &numbered, index);
	else if (take_client(call, kind, &wanted))
		add_of_client(call, &numbered, client);
	else
		return;
	start(call, &wanted, &numbered, client);
}
