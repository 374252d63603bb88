/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See report.h. The text of a second is made once: there may be thousands of lines in it. */
#include "relay/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void report_time(struct buffer *line)
{
	static _Thread_local time_t second = -1;
	static _Thread_local char text[32];
	struct timespec now;
	char rest[6] = ".000Z";
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second && gmtime_r(&now.tv_sec, &tm) &&
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm))
		second = now.tv_sec;
	for (long ms = now.tv_nsec / 1000000, i = 3; i > 0; i--, ms /= 10)
		rest[i] = (char)('0' + ms % 10);
	buffer_text(line, text);
	buffer_text(line, rest);
	buffer_put(line, " ", 1);
}

void report_event(const char *event, const char *format, ...)
{
	AUTO(buffer_drop) struct buffer line = { 0 };
	char text[1024];
	va_list arguments;

	if (!getenv("JOURNAL_STREAM"))		/* which has the time already: sd-daemon(3) */
		report_time(&line);
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	buffer_text(&line, event);
	buffer_put(&line, " ", 1);
	buffer_text(&line, text);
	buffer_put(&line, "\n", 1);
	(void)!write(STDERR_FILENO, buffer_bytes(&line), buffer_len(&line));
}

/* How many characters from @text on need no escape. */
static size_t plain_length(const char *text)
{
	size_t n = 0;

	while (text[n] && text[n] != '"' && text[n] != '\\' && (unsigned char)text[n] >= 0x20 &&
	       text[n] != 0x7f)
		n++;
	return n;
}

void report_field(struct buffer *line, const char *key, const char *text)
{
	if (!text)
		return;
	buffer_put(line, " ", 1);
	buffer_text(line, key);
	buffer_put(line, "=\"", 2);
	for (;;) {
		size_t n = plain_length(text);

		buffer_put(line, text, n);
		text += n;
		if (!*text)
			break;
		if (*text == '"' || *text == '\\')
			buffer_print(line, "\\%c", *text);
		else
			buffer_print(line, "\\x%02x", (unsigned char)*text);
		text++;
	}
	buffer_put(line, "\"", 1);
}
