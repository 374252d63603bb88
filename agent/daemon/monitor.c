/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See monitor.h. Nothing is kept while nobody listens. */
#include "daemon/monitor.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct monitor {
	struct monitor_event ring[MONITOR_EVENTS];
	uint64_t next;				/* position of the event to come */
	unsigned listeners;
	void (*wake)(void *context);
	void *context;
};

struct monitor *monitor_new(void)
{
	return mem_zero(1, sizeof(struct monitor));
}

static void forget(struct monitor *monitor, uint64_t before)
{
	uint64_t first = monitor->next > MONITOR_EVENTS ? monitor->next - MONITOR_EVENTS : 0;

	for (uint64_t at = first; at < before; at++) {
		free(monitor->ring[at % MONITOR_EVENTS].fields);
		monitor->ring[at % MONITOR_EVENTS].fields = NULL;
	}
}

void monitor_free(struct monitor *monitor)
{
	if (!monitor)
		return;
	forget(monitor, monitor->next);
	free(monitor);
}

void monitor_on_event(struct monitor *monitor, void (*wake)(void *context), void *context)
{
	monitor->wake = wake;
	monitor->context = context;
}

uint64_t monitor_recent(const struct monitor *monitor)
{
	return monitor->next > MONITOR_RECENT ? monitor->next - MONITOR_RECENT : 0;
}

void monitor_hear(void *context, enum log_event event, const char *fields)
{
	struct monitor *monitor = context;
	struct monitor_event *place = &monitor->ring[monitor->next % MONITOR_EVENTS];

	free(place->fields);
	place->event = event;
	place->fields = mem_copy(fields);
	clock_gettime(CLOCK_REALTIME, &place->when);
	monitor->next++;
	if (monitor->listeners == 0) {		/* all that is older went before: one is too old now */
		uint64_t old = monitor_recent(monitor);

		if (old > 0) {
			free(monitor->ring[(old - 1) % MONITOR_EVENTS].fields);
			monitor->ring[(old - 1) % MONITOR_EVENTS].fields = NULL;
		}
		return;
	}
	if (monitor->wake)
		monitor->wake(monitor->context);
}

uint64_t monitor_join(struct monitor *monitor)
{
	monitor->listeners++;
	return monitor->next;
}

void monitor_leave(struct monitor *monitor)
{
	if (--monitor->listeners == 0)
		forget(monitor, monitor_recent(monitor));
}

const struct monitor_event *monitor_next(const struct monitor *monitor, uint64_t *position,
					 uint64_t *ret_dropped)
{
	uint64_t oldest = monitor->next > MONITOR_EVENTS ? monitor->next - MONITOR_EVENTS : 0;

	*ret_dropped = 0;
	if (*position >= monitor->next)
		return NULL;
	if (*position < oldest) {
		*ret_dropped = oldest - *position;
		*position = oldest;
	}
	return &monitor->ring[(*position)++ % MONITOR_EVENTS];
}

bool monitor_field(const char **text, char ret_key[static 32], char ret_value[static LOG_TEXT])
{
	const char *at = *text + strspn(*text, " "), *end;
	size_t key = strcspn(at, "= ");

	if (at[key] != '=' || key == 0)
		return false;
	snprintf(ret_key, 32, "%.*s", (int)key, at);
	at += key + 1;
	if (*at == '"') {
		end = strchr(++at, '"');
		end = end ? end : at + strlen(at);	/* cut off by the line's length */
		*text = end + (*end == '"');
	} else {
		end = at + strcspn(at, " ");
		*text = end;
	}
	snprintf(ret_value, LOG_TEXT, "%.*s", (int)(end - at), at);
	return true;
}
