/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of the agent. A line is built in one buffer and leaves in one write(2), so that lines of
 * several threads or processes on one stderr do not mix. Nothing here can fail in a way the caller
 * should know of: a log that cannot be written must not stop the data path's upkeep.
 */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

static const struct {
	const char *text;
	int priority;
} events[LOG_EVENTS] = {
#define EVENT(name, words, level) [EVENT_##name] = { words, level },
#include "daemon/log_events.def"
#undef EVENT
};

unsigned log_counts[LOG_EVENTS];
static bool with_priority, muted;

void log_open(void)
{
	with_priority = getenv("JOURNAL_STREAM") != NULL;
}

void log_mute(void)
{
	muted = true;
}

void log_event(enum log_event event, const char *format, ...)
{
	char line[2048];
	size_t len = 0;
	va_list args;
	int n;

	log_counts[event]++;
	if (muted)
		return;
	if (with_priority)
		len += (size_t)snprintf(line, sizeof line, "<%d>", events[event].priority);
	len += (size_t)snprintf(line + len, sizeof line - len, "%s ", events[event].text);
	va_start(args, format);
	n = vsnprintf(line + len, sizeof line - len - 1, format, args);
	va_end(args);
	if (n > 0)
		len += strlen(line + len);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
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
