/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See report.h. */
#include "relay/report.h"

#include "base/mem.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

void report_time(FILE *line)
{
	struct timespec now;
	char text[32];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm))
		fprintf(line, "%s.%03ldZ ", text, now.tv_nsec / 1000000);
}

void report_event(const char *event, const char *format, ...)
{
	AUTO(mem_drop) char *text = NULL;
	size_t len = 0;
	FILE *line = open_memstream(&text, &len);
	va_list arguments;

	if (!line)
		abort();
	if (!getenv("JOURNAL_STREAM"))		/* which has the time already: sd-daemon(3) */
		report_time(line);
	fprintf(line, "%s ", event);
	va_start(arguments, format);
	vfprintf(line, format, arguments);
	va_end(arguments);
	fputc('\n', line);
	if (fclose(line) != 0)
		abort();
	(void)!write(STDERR_FILENO, text, len);
}

void report_field(FILE *line, const char *key, const char *text)
{
	if (!text)
		return;
	fprintf(line, " %s=\"", key);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(line, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(line, "\\x%02x", c);
		else
			fputc(c, line);
	}
	fputc('"', line);
}

