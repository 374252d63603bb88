/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See remove.h. Connections are counted by conntrack dumps of the binding's mark: every half second,
 * and less often where that takes long, so that it costs at most a twentieth of the agent's time.
 * Everything that changes the configuration is a change at run time like any other.
 */
#include "daemon/remove.h"

#include "base/mem.h"
#include "daemon/control.h"
#include "daemon/edit.h"
#include "daemon/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECOND		UINT64_C(1000000)
#define EVERY		(SECOND / 2)
#define EVERY_KILL	(SECOND / 20)
#define EVERY_MOST	(10 * SECOND)
#define KILL_PATIENCE	(5 * SECOND)

enum { COST_SHARE = 20 };

void remove_unref(struct removal *removal)
{
	if (!removal || --removal->refs > 0)
		return;
	for (size_t i = 0; i < removal->n_remaining; i++)
		free(removal->remaining[i]);
	outcome_drop(&removal->out);
	free(removal->name);
	free(removal);
}

void remove_refusal_drop(struct removal_refusal *refusal)
{
	references_drop(&refusal->references);
	remove_unref(refusal->about);
	*refusal = (struct removal_refusal){ 0 };
}

static struct removals *removals_of(struct agent *agent)
{
	if (!agent->removals)
		agent->removals = mem_zero(1, sizeof *agent->removals);
	return agent->removals;
}

void remove_drop(struct agent *agent)
{
	struct removals *removals = agent->removals;

	for (size_t i = 0; removals && i < removals->n; i++)
		remove_unref(removals->at[i]);
	if (removals)
		free(removals->at);
	free(removals);
	agent->removals = NULL;
}

static struct removal *find_running(const struct agent *agent, const char *name)
{
	const struct removals *removals = agent->removals;

	for (size_t i = 0; removals && i < removals->n; i++)
		if (strcmp(removals->at[i]->name, name) == 0)
			return removals->at[i];
	return NULL;
}

/* Of a protocol without ports: the address alone. */
static const char *print_end(const struct ip *ip, uint16_t port, char out[static IP_PORT_TEXT])
{
	return port == 0 ? ip_print(ip, out) : ip_print_port(ip, port, out);
}

static const char *protocol_name(uint8_t protocol, char room[static 8])
{
	switch (protocol) {
	case PROTOCOL_TCP:
		return "tcp";
	case PROTOCOL_UDP:
		return "udp";
	case PROTOCOL_SCTP:
		return "sctp";
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		return "icmp";
	default:
		snprintf(room, 8, "%u", protocol);
		return room;
	}
}

/* "tcp 10.0.0.1:4000 > 203.0.113.1:25 as 192.0.2.11:4000 ESTABLISHED" */
static char *print_connection(const struct connection *c)
{
	char from[IP_PORT_TEXT], to[IP_PORT_TEXT], source[IP_PORT_TEXT], room[8], *text;

	if (asprintf(&text, "%s %s > %s as %s%s%s", protocol_name(c->protocol, room),
		     print_end(&c->from, c->from_port, from), print_end(&c->to, c->to_port, to),
		     print_end(&c->source, c->source_port, source), *c->state ? " " : "",
		     c->state) < 0)
		abort();
	return text;
}

/* Count, and name the first few. */
static int look(struct agent *agent, struct removal *removal, uint32_t binding)
{
	const struct plan *plan = &agent->now->plan;
	AUTO(connections_drop) struct connections list = { 0 };
	uint64_t begun = agent_clock(), every;
	int r = agent->kernel->list_connections(agent->kernel, plan->mask, plan->marks[binding],
						REMOVE_NAMED, &list);
	uint64_t now = agent_clock();

	every = removal->killing ? EVERY_KILL : EVERY;
	if ((now - begun) * COST_SHARE > every)
		every = (now - begun) * COST_SHARE;
	removal->next = now + (every < EVERY_MOST ? every : EVERY_MOST);
	if (r < 0)
		return r;
	for (size_t i = 0; i < removal->n_remaining; i++)
		free(removal->remaining[i]);
	removal->n_remaining = 0;
	for (size_t i = 0; i < list.n; i++)
		removal->remaining[removal->n_remaining++] = print_connection(&list.at[i]);
	removal->connections = list.n_all;
	removal->round++;
	return 0;
}

/* Statements, as a change at run time; only tried if somebody wants to read what it would be. */
static int change(struct agent *agent, const char *text, struct edit_report *try,
		  struct outcome *out)
{
	const struct edit_request request = { .name = "binding remove", .text = text,
					      .dry_run = try != NULL };
	AUTO(edit_report_drop) struct edit_report report = { 0 };

	return edit_apply(agent, &request, try ? try : &report, out);
}

/* @before, and then suspend or remove the binding, in one change. A name that comes back later is
 * not to be suspended then. */
static int change_last(struct agent *agent, const char *before, uint32_t binding, bool remove,
		       struct edit_report *try, struct outcome *out)
{
	const struct binding *b = &agent->now->model.bindings.at[binding];
	bool resume = remove && agent->facts.suspended[binding];
	const char *verb = remove ? b->group ? "remove group" : "remove binding" : "suspend";
	char *AUTO(mem_drop) text = NULL;

	if (asprintf(&text, "%s%s %s;\n%s%s%s", before, verb, b->name, resume ? "resume " : "",
		     resume ? b->name : "", resume ? ";\n" : "") < 0)
		abort();
	return change(agent, text, try, out);
}

static void finish(struct removal *removal, enum remove_state state, const char *why)
{
	static const char *const results[] = { "", "removed", "kept", "refused" };
	char quoted[LOG_TEXT];

	removal->state = state;
	removal->why = why;
	removal->round++;
	log_event(state == REMOVE_DONE ? EVENT_BINDING_REMOVED : EVENT_BINDING_KEPT,
		  "name=%s result=%s connections=%" PRIu64 " killed=%" PRIu64 " text=%s",
		  removal->name, results[state], removal->connections, removal->killed,
		  log_quote(why ? why : removal->out.text, quoted));
}

/* Nothing lives any more. */
static void remove_now(struct agent *agent, struct removal *removal, uint32_t binding)
{
	removal->result = change_last(agent, "", binding, true, NULL, &removal->out);
	finish(removal, removal->result == 0 ? REMOVE_DONE : REMOVE_FAILED, NULL);
}

static void kill_some(struct agent *agent, struct removal *removal, uint32_t binding)
{
	const struct plan *plan = &agent->now->plan;
	struct killed killed = { 0 };
	int r = agent->kernel->kill_connections(agent->kernel, plan->mask, plan->marks[binding],
						&killed);

	if (removal->killing == 0 || killed.n_ended > 0)
		removal->killing = agent_clock();
	removal->killed += killed.n_ended;
	if (r == 0)
		r = killed.error;
	if (r < 0)
		log_event(EVENT_BINDING_KILL_FAILED, "name=%s left=%zu error=\"%s\" next=again",
			  removal->name, killed.n_left, strerror(-r));
}

static void work(struct agent *agent, struct removal *removal)
{
	uint32_t binding = model_find(&agent->now->model, removal->name);
	bool late = agent_clock() >= removal->deadline;
	int r;

	if (binding == NO_INDEX) {		/* by another way */
		removal->connections = 0;
		finish(removal, REMOVE_DONE, NULL);
		return;
	}
	if (!agent->facts.suspended[binding]) {
		finish(removal, REMOVE_KEPT, "the binding was resumed meanwhile");
		return;
	}
	if (late && removal->kill)
		kill_some(agent, removal, binding);
	r = look(agent, removal, binding);
	if (r == 0 && removal->connections == 0)
		remove_now(agent, removal, binding);
	else if (late && !removal->kill)
		finish(removal, REMOVE_KEPT, "the time is up; it stays suspended");
	else if (removal->killing && agent_clock() - removal->killing > KILL_PATIENCE)
		finish(removal, REMOVE_KEPT,
		       "what remains cannot be ended on this host; it stays suspended");
}

uint64_t remove_tick(struct agent *agent)
{
	struct removals *removals = removals_of(agent);
	uint64_t now = agent_clock(), next = UINT64_MAX;
	size_t n = 0;

	for (size_t i = 0; i < removals->n; i++) {
		struct removal *removal = removals->at[i];
		uint64_t due = removal->next < removal->deadline || removal->killing
				       ? removal->next : removal->deadline;

		if (due <= now) {
			work(agent, removal);
			due = removal->next;
		}
		if (removal->state != REMOVE_RUNNING) {
			remove_unref(removal);
			continue;
		}
		removals->at[n++] = removal;
		if (due < next)
			next = due;
	}
	removals->n = n;
	control_wake(agent->control);
	now = agent_clock();
	return next == UINT64_MAX ? next : next > now ? next - now : 0;
}

/* What both who begins and who joins may ask for. */
static void set_limits(struct removal *removal, const struct remove_request *request)
{
	uint64_t now = agent_clock();

	removal->kill = removal->kill || request->kill;
	if (request->kill && !request->drain)
		removal->deadline = now;
	else if (request->timeout != UINT64_MAX)
		removal->deadline = now + request->timeout;
	if (removal->next > removal->deadline)
		removal->next = removal->deadline;
}

/* The statements that move what refers to @binding to @other; "" if there is no other. */
static char *moved(struct agent *agent, uint32_t binding, uint32_t other)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	if (other != NO_INDEX)
		references_move(&agent->now->model, binding, other, out);
	if (fclose(out) != 0)
		abort();
	return text;
}

/* Is it in use, and may that not be helped? */
static bool refuse(struct agent *agent, const struct remove_request *request, uint32_t binding,
		   struct removal *removal, struct removal_refusal *ret)
{
	AUTO(references_drop) struct references references = { 0 };
	bool lives = removal->connections > 0 && !request->drain && !request->kill;

	if (request->reassign)
		references_find_relay(&agent->now->model, binding, REMOVE_NAMED, &references);
	else
		references_find(&agent->now->model, binding, REMOVE_NAMED, &references);
	if (references.n_all == 0 && !lives)
		return false;
	removal->refs++;
	*ret = (struct removal_refusal){ references, removal };
	references = (struct references){ 0 };
	return true;
}

static int begin(struct agent *agent, const struct remove_request *request, uint32_t binding,
		 uint32_t other, struct removal *removal, struct outcome *out)
{
	char *AUTO(mem_drop) text = moved(agent, binding, other);
	struct removals *removals = removals_of(agent);
	int r;

	if (removal->connections == 0 || request->try) {
		r = change_last(agent, text, binding, true, request->try, out);
		if (r == 0 && !request->try)
			finish(removal, REMOVE_DONE, NULL);
		return r;
	}
	r = change_last(agent, text, binding, false, NULL, out);
	if (r < 0)
		return r;
	log_event(EVENT_BINDING_DRAINING, "name=%s connections=%" PRIu64 " reassign=%s kill=%s",
		  removal->name, removal->connections, request->reassign ? request->reassign : "-",
		  request->kill ? "yes" : "no");
	set_limits(removal, request);
	removal->refs++;
	PUSH(removals, removal);
	return 0;
}

/* Find everything; 0 to go on. */
static int find_both(const struct agent *agent, const struct remove_request *request,
		     uint32_t *ret_binding, uint32_t *ret_other)
{
	const struct model *model = &agent->now->model;

	*ret_binding = model_find(model, request->name);
	*ret_other = request->reassign ? model_find(model, request->reassign) : NO_INDEX;
	if (*ret_binding == NO_INDEX)
		return -ESRCH;
	if (request->reassign && *ret_other == NO_INDEX)
		return -ENOENT;
	return request->reassign && find_running(agent, request->reassign) ? -EALREADY : 0;
}

static int begin_new(struct agent *agent, const struct remove_request *request,
		     struct removal **ret, struct removal_refusal *ret_refusal,
		     struct outcome *out)
{
	struct removal *removal;
	uint32_t binding, other;
	int r = find_both(agent, request, &binding, &other);

	if (r < 0)
		return r;
	removal = mem_zero(1, sizeof *removal);
	removal->name = mem_copy(request->name);
	removal->refs = 1;
	removal->begun = agent_clock();
	removal->deadline = UINT64_MAX;
	r = look(agent, removal, binding);
	removal->at_start = removal->connections;
	if (r < 0)
		outcome_say(out, "cannot count the connections of %s: %s", request->name,
			    strerror(-r));
	else if (refuse(agent, request, binding, removal, ret_refusal))
		r = -EADDRINUSE;
	else
		r = begin(agent, request, binding, other, removal, out);
	if (r < 0)
		remove_unref(removal);
	else
		*ret = removal;
	return r;
}

int remove_begin(struct agent *agent, const struct remove_request *request, struct removal **ret,
		 struct removal_refusal *ret_refusal, struct outcome *out)
{
	struct removal *running = find_running(agent, request->name);
	struct removals *removals = removals_of(agent);
	int r = 0;

	if (request->try)
		return begin_new(agent, request, ret, ret_refusal, out);
	if (running) {
		set_limits(running, request);
		running->refs++;
		*ret = running;
	} else {
		r = begin_new(agent, request, ret, ret_refusal, out);
	}
	if (r == 0 && (*ret)->state == REMOVE_RUNNING) {
		uint64_t next = remove_tick(agent);

		if (removals->arm && next != UINT64_MAX)
			removals->arm(removals->context, next);
	}
	return r;
}
