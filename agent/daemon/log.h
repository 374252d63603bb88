/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line an event on stderr: `event.name key=value ...`. Names are in log_events.def. */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <time.h>

enum log_event {
#define EVENT(name, text, priority) EVENT_##name,
#include "daemon/log_events.def"
#undef EVENT
	LOG_EVENTS
};

enum { LOG_TEXT = 512, LOG_FIELDS = 1984 };	/* of a value, of all of them */

/* Look at the environment once: with JOURNAL_STREAM set, lines get their "<N>" priority prefix. */
void log_open(void);

/* Control characters in the line become '?': what a peer or a file sent cannot forge a line. */
void log_event(enum log_event event, const char *format, ...) PRINTF(2, 3);

/* Name of an event in the log ("binding.unusable"), and its syslog priority. */
const char *log_event_name(enum log_event event);
int log_event_priority(enum log_event event);

/* Whoever wants to hear every event as well: @fields is `key=value ...` as logged. One listener;
 * NULL ends it. It must not log. */
typedef void log_listener(void *context, enum log_event event, const char *fields);
void log_listen(log_listener *hear, void *context);

/* @text as a quoted value in @out, cut to fit; returns @out. */
const char *log_quote(const char *text, char out[static LOG_TEXT]);

/* So that strangers do not fill the log: ten lines a second of one kind, where the caller asks first. */
struct log_budget { time_t second; unsigned n; };
bool log_allowed(struct log_budget *budget);

/* Unit tests: how often an event was logged, and silence. */
/* How often each event was logged. */
extern unsigned log_counts[LOG_EVENTS];

/* Unit tests: silence. */
void log_mute(void);
