/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of the agent. A line is built in one buffer and leaves in one write(2), so that lines of
 * several threads or processes on one stderr do not mix. Nothing here can fail in a way the caller
 * should know of: a log that cannot be written must not stop the data path's upkeep.
 */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

static const struct {
	const char *text;
	int priority;
} events[LOG_EVENTS] = {
#define EVENT(name, words, level) [EVENT_##name] = { words, level },
#include "daemon/log_events.def"
#undef EVENT
};

enum { LINES_PER_SECOND = 10 };

unsigned log_counts[LOG_EVENTS];
static bool with_priority, muted;
static log_listener *listener;
static void *listener_context;

void log_open(void)
{
	with_priority = getenv("JOURNAL_STREAM") != NULL;
}

void log_mute(void)
{
	muted = true;
}

const char *log_event_name(enum log_event event)
{
	return events[event].text;
}

int log_event_priority(enum log_event event)
{
	return events[event].priority;
}

void log_listen(log_listener *hear, void *context)
{
	listener = hear;
	listener_context = context;
}

static void clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

void log_event(enum log_event event, const char *format, ...)
{
	char fields[LOG_FIELDS], line[LOG_FIELDS + 64];
	va_list args;
	int n;

	log_counts[event]++;
	if (muted && !listener)
		return;
	va_start(args, format);
	(void)vsnprintf(fields, sizeof fields, format, args);
	va_end(args);
	clean(fields);
	if (listener)
		listener(listener_context, event, fields);
	if (muted)
		return;
	if (with_priority)
		n = snprintf(line, sizeof line, "<%d>%s %s\n", events[event].priority,
			     events[event].text, fields);
	else
		n = snprintf(line, sizeof line, "%s %s\n", events[event].text, fields);
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;			/* nobody left to tell */
}

const char *log_quote(const char *text, char out[static LOG_TEXT])
{
	size_t n = 0;

	out[n++] = '"';
	for (; *text && n < LOG_TEXT - 2; text++)
		out[n++] = *text == '"' ? '\'' : *text;
	out[n++] = '"';
	out[n] = '\0';
	return out;
}

bool log_allowed(struct log_budget *budget)
{
	time_t now = time(NULL);

	if (now != budget->second)
		budget->n = 0;
	budget->second = now;
	return budget->n++ < LINES_PER_SECOND;
}
