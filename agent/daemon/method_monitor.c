/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Monitor: one reply an event, as it happens, until the peer goes. ListEvents: the latest ones. */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/monitor.h"

#include <syslog.h>

struct monitor_stream {
	struct stream stream;
	struct monitor *monitor;
	uint64_t position;
	bool begun;
};

static void free_monitor(struct stream *stream)
{
	struct monitor_stream *listener = (struct monitor_stream *)stream;

	monitor_leave(listener->monitor);
	free(listener);
}

static json_t *json_fields(const char *text)
{
	json_t *fields = json_array();
	char key[32], value[LOG_TEXT];

	while (monitor_field(&text, key, value))
		json_array_append_new(fields, json_pack("{s:o, s:o}", "name", method_json(key),
							"value", method_json(value)));
	return fields;
}

static const char *severity(enum log_event event)
{
	static const char *const words[] = { [LOG_ERR] = "error", [LOG_WARNING] = "warning",
					     [LOG_NOTICE] = "notice", [LOG_INFO] = "info" };

	return words[log_event_priority(event)];
}

static json_t *json_event(const struct monitor_event *event, uint64_t dropped)
{
	return json_pack("{s:o, s:s, s:s, s:o, s:I}", "time", method_json_time(&event->when),
			 "event", log_event_name(event->event), "severity", severity(event->event),
			 "fields", json_fields(event->fields ? event->fields : ""), "dropped",
			 (json_int_t)dropped);
}

/* The first answer says that from now on nothing is missed. */
static void next_event(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct monitor_stream *listener = (struct monitor_stream *)stream;
	struct monitor_event started = { .event = EVENT_MONITOR_STARTED };
	const struct monitor_event *event = &started;
	uint64_t dropped = 0;

	(void)agent;
	clock_gettime(CLOCK_REALTIME, &started.when);
	if (listener->begun)
		event = monitor_next(listener->monitor, &listener->position, &dropped);
	listener->begun = true;
	ret->waits = !event;
	if (event)
		ret->parameters = json_event(event, dropped);
	ret->continues = event != NULL;
}

void method_monitor(struct call *call)
{
	struct monitor_stream *listener;

	if (!call->agent->monitor) {
		method_fail(call, OUTBIND_ERROR("NotPossible"),
			    json_pack("{s:s}", "text", "this agent keeps no events"));
		return;
	}
	listener = mem_zero(1, sizeof *listener);
	listener->stream = (struct stream){ .next = next_event, .free = free_monitor };
	listener->monitor = call->agent->monitor;
	listener->position = monitor_join(listener->monitor);
	method_stream(call, &listener->stream);
}

void method_list_events(struct call *call)
{
	const struct monitor *monitor = call->agent->monitor;
	uint64_t position = monitor ? monitor_recent(monitor) : 0, dropped;
	const struct monitor_event *event;
	json_t *list = json_array();

	while (monitor && (event = monitor_next(monitor, &position, &dropped)))
		json_array_append_new(list, json_event(event, dropped));
	method_reply(call, json_pack("{s:o}", "events", list));
}
