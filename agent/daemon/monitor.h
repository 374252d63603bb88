/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every event that is logged, also for those who ask for events over the control socket. One ring
 * for all listeners: a listener is a position in it, so one that does not read costs nothing and
 * loses the oldest events, which it is told the number of.
 */
#pragma once

#include "daemon/log.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { MONITOR_EVENTS = 2048, MONITOR_RECENT = 200 };	/* kept while anybody listens; always */

struct monitor_event {
	struct timespec when;			/* CLOCK_REALTIME */
	enum log_event event;
	char *fields;				/* `key=value ...` as logged; owned by the ring */
};

struct monitor;

struct monitor *monitor_new(void);
void monitor_free(struct monitor *monitor);	/* accepts NULL */

/* A log_listener; @context is the monitor. */
void monitor_hear(void *context, enum log_event event, const char *fields);

/* @wake is called after an event came that some listener has not read. */
void monitor_on_event(struct monitor *monitor, void (*wake)(void *context), void *context);

/* Listen from now on: the position of the next event. Ended by monitor_leave(). */
uint64_t monitor_join(struct monitor *monitor);
void monitor_leave(struct monitor *monitor);

/*
 * monitor_next - the event at *@position, borrowed until the next one is logged; NULL if none
 * @position:    moved behind it
 * @ret_dropped: events between the last one that was read and this one, which nobody can read now
 */
const struct monitor_event *monitor_next(const struct monitor *monitor, uint64_t *position,
					 uint64_t *ret_dropped);

/* Position of the first of the latest MONITOR_RECENT events, which are kept also if nobody listens. */
uint64_t monitor_recent(const struct monitor *monitor);

/*
 * monitor_field - the next `key=value` or `key="value"` of @text
 * Copies, cut to fit, and moves *@text behind it. False at the end.
 */
bool monitor_field(const char **text, char ret_key[static 32], char ret_value[static LOG_TEXT]);
