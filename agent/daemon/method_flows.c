/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ListFlows and FollowFlows. A caller is served as fast as it reads: the kernel makes the next part of
 * a dump when the one before was sent, and who follows too slowly is told how many were lost. A
 * piece is bounded in flows and in what it takes of the event loop.
 */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/flow_filter.h"
#include "daemon/flow_json.h"
#include "daemon/follow.h"

#include <string.h>

enum {
	FLOWS_OF_PIECE = 128,			/* of an answer; a datagram of a dump may have some more */
	READS_OF_PIECE = 8,			/* if nothing is found in the first ones */
	STREAMS_OF_USER = 4,
};

struct flows_stream {
	struct stream stream;
	struct agent *agent;
	struct flow_filter filter;
	struct flow_reader *dump;		/* NULL: of those who follow */
	uint64_t position;
	uint64_t lost;				/* by the kernel, when it was told last */
	bool begun;
	uid_t user;
	json_t *flows;				/* of the piece in the making */
	struct net_settings settings;		/* of when the call came: read from several files */
};

/* A user may have STREAMS_OF_USER, so that others find some of all of them left. */
static bool enter(struct call *call)
{
	struct flow_callers *callers = &call->agent->flow_callers;
	size_t n = 0;

	for (size_t i = 0; i < callers->n; i++)
		n += callers->user[i] == call->agent->asked_by;
	if (callers->n < FLOW_CALLERS_MAX && n < STREAMS_OF_USER) {
		callers->user[callers->n++] = call->agent->asked_by;
		return true;
	}
	method_fail(call, OUTBIND_ERROR("Busy"),
		    json_pack("{s:s}", "text", n >= STREAMS_OF_USER
			      ? "this user is being sent connections four times already"
			      : "connections are being sent to as many callers as there may be"));
	return false;
}

static void leave(struct agent *agent, uid_t user)
{
	struct flow_callers *callers = &agent->flow_callers;

	for (size_t i = 0; i < callers->n; i++)
		if (callers->user[i] == user) {
			callers->user[i] = callers->user[--callers->n];
			return;
		}
}

static void free_flows(struct stream *stream)
{
	struct flows_stream *flows = (struct flows_stream *)stream;

	if (flows->dump)
		flows->dump->close(flows->dump);
	else
		follow_leave(flows->agent);
	leave(flows->agent, flows->user);
	flow_filter_drop(&flows->filter);
	free(flows);
}

static json_t *json_refused(struct agent *agent)
{
	struct strays strays = { 0 };
	json_t *list = json_array();
	char text[IP_TEXT];

	if (agent->kernel->read_strays(agent->kernel, &strays) < 0)
		strays.n = 0;
	for (size_t i = 0; i < strays.n; i++)
		json_array_append_new(list, json_pack(
			"{s:o, s:s}", "binding",
			method_json(sources_name(agent, strays.at[i].mark)), "source",
			ip_print(&strays.at[i].source, text)));
	free(strays.at);
	return list;
}

static json_t *json_piece(const struct flows_stream *flows, json_t *list, uint64_t lost,
			  bool refused)
{
	return json_pack("{s:o, s:I, s:b, s:b, s:o}", "flows", list, "lost", (json_int_t)lost,
			 "counts", flows->settings.counts, "times", flows->settings.times,
			 "refused", refused ? json_refused(flows->agent) : json_array());
}

static void take_live(void *context, enum flow_news news, const struct connection *c)
{
	struct flows_stream *flows = context;
	struct follow_event event = { .news = news, .connection = *c };
	struct kernel *kernel = flows->agent->kernel;
	struct flow_filter cheap = flows->filter;

	if (!c->alive)
		return;
	event.verdict = sources_judge(flows->agent, c);
	cheap.by_uid = false;			/* asking for the owner costs more than the rest */
	if (event.verdict == SOURCE_UNBOUND || !flow_filter_takes(&cheap, c, NULL))
		return;
	event.owned = kernel->find_owner(kernel, c, &event.owned, &event.owner) == 0 &&
		      event.owned;
	if (flow_filter_takes(&flows->filter, c, event.owned ? &event.owner : NULL))
		json_array_append_new(flows->flows, flow_json(flows->agent, &event));
}

static void next_live(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct flows_stream *flows = (struct flows_stream *)stream;
	int r = 1;

	(void)agent;
	flows->flows = json_array();
	for (int i = 0; i < READS_OF_PIECE && r == 1 && json_array_size(flows->flows) == 0; i++)
		r = flows->dump->read(flows->dump, 1, take_live, flows);
	if (r < 0) {
		json_decref(flows->flows);
		answer_refuse(ret, strerror(-r));
		return;
	}
	ret->parameters = json_piece(flows, flows->flows, 0, r == 0);
	ret->continues = r == 1;
}

static uint64_t add_news(struct flows_stream *flows, json_t *list)
{
	const struct follow_event *event;
	uint64_t missed, lost = follow_lost(flows->agent), sum = lost - flows->lost;

	flows->lost = lost;
	while (json_array_size(list) < FLOWS_OF_PIECE &&
	       (event = follow_next(flows->agent, &flows->position, &missed))) {
		sum += missed;
		if (flow_filter_takes(&flows->filter, &event->connection,
				      event->owned ? &event->owner : NULL))
			json_array_append_new(list, flow_json(flows->agent, event));
	}
	return sum;
}

/* The first answer says that from now on nothing is missed. */
static void next_news(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct flows_stream *flows = (struct flows_stream *)stream;
	json_t *list = json_array();
	uint64_t lost = flows->begun ? add_news(flows, list) : 0;

	(void)agent;
	ret->waits = flows->begun && json_array_size(list) == 0 && lost == 0;
	ret->continues = !ret->waits;
	if (ret->waits)
		json_decref(list);
	else
		ret->parameters = json_piece(flows, list, lost, !flows->begun);
	flows->begun = true;
}

/* Takes what is in @filter. */
static void begin(struct call *call, struct flow_filter *filter, struct flow_reader *dump,
		  uint64_t position)
{
	struct flows_stream *flows = mem_zero(1, sizeof *flows);
	struct kernel *kernel = call->agent->kernel;

	flows->stream = (struct stream){ .next = dump ? next_live : next_news,
					 .free = free_flows, .slow = true };
	flows->agent = call->agent;
	flows->filter = *filter;
	flows->dump = dump;
	flows->position = position;
	flows->lost = follow_lost(call->agent);
	flows->user = call->agent->asked_by;
	if (kernel->read_settings(kernel, &flows->settings) < 0)
		flows->settings = (struct net_settings){ 0 };
	method_stream(call, &flows->stream);
}

/* The filter that was asked for, and one of the caller's places. False: the answer is set. */
static bool enter_filtered(struct call *call, struct flow_filter *ret)
{
	if (!flow_filter_read(call, ret))
		return false;
	if (enter(call))
		return true;
	flow_filter_drop(ret);
	return false;
}

/* As if it had never entered: the kernel does not answer. */
static void give_up(struct call *call, struct flow_filter *filter, int r)
{
	flow_filter_drop(filter);
	leave(call->agent, call->agent->asked_by);
	answer_refuse(&call->answer, strerror(-r));
}

void method_list_flows(struct call *call)
{
	struct kernel *kernel = call->agent->kernel;
	struct flow_filter filter;
	struct flow_reader *dump;
	struct fwmark mark;
	int r;

	if (!enter_filtered(call, &filter))
		return;
	r = kernel->dump_flows(kernel, filter.mask, flow_filter_mark(&filter, &mark), &dump);
	if (r == 0)
		begin(call, &filter, dump, 0);
	else
		give_up(call, &filter, r);
}

void method_follow_flows(struct call *call)
{
	struct flow_filter filter;
	uint64_t position;
	int r;

	if (!enter_filtered(call, &filter))
		return;
	r = follow_join(call->agent, &position);
	if (r == 0)
		begin(call, &filter, NULL, position);
	else
		give_up(call, &filter, r);
}
