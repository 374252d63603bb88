/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See openmetrics.h. */
#include "base/openmetrics.h"

#include "base/mem.h"

#include <string.h>

enum { FULL = 256 * 1024 };

/* Upper bounds in microseconds: from what a transaction takes to what nobody should wait for. */
static const uint64_t bounds[HISTOGRAM_BOUNDS] = { 100, 250, 500, 1000, 2500, 5000, 10000, 25000,
						   50000, 100000, 250000, 500000, 1000000,
						   5000000 };

void openmetrics_open(struct openmetrics *text, enum openmetrics_format format, int fd)
{
	*text = (struct openmetrics){ .format = format, .fd = fd };
}

void openmetrics_drop(struct openmetrics *text)
{
	free(text->at);
	*text = (struct openmetrics){ .fd = -1 };
}

static void flush(struct openmetrics *text)
{
	size_t done = 0;

	while (done < text->len && text->error == 0) {
		ssize_t n = write(text->fd, text->at + done, text->len - done);

		if (n < 0 && errno != EINTR)
			text->error = -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	text->len = 0;
}

/* Room for @n octets more at the end, which the caller adds to @len. */
static char *room(struct openmetrics *text, size_t n)
{
	if (text->fd >= 0 && text->len >= FULL)
		flush(text);
	if (text->room - text->len < n)
		text->at = mem_grow(text->at, &text->room, text->len + n, 1);
	return text->at + text->len;
}

static void put(struct openmetrics *text, const char *octets, size_t n)
{
	memcpy(room(text, n), octets, n);
	text->len += n;
}

static void put_text(struct openmetrics *text, const char *octets)
{
	put(text, octets, strlen(octets));
}

static void put_number(struct openmetrics *text, uint64_t value)
{
	char digits[20];
	size_t n = sizeof digits;

	do
		digits[--n] = (char)('0' + value % 10);
	while (value /= 10);
	put(text, digits + n, sizeof digits - n);
}

/* Seconds with as many digits behind the point as there are. */
static void put_seconds(struct openmetrics *text, uint64_t micros)
{
	char digits[7] = ".000000";
	size_t n = sizeof digits;

	put_number(text, micros / 1000000);
	micros %= 1000000;
	for (size_t i = n; i-- > 1; micros /= 10)
		digits[i] = (char)('0' + micros % 10);
	while (n > 2 && digits[n - 1] == '0')
		n--;
	put(text, digits, n);
}

/* The end of the names of a counter's or an info's samples. */
static const char *suffix(const struct openmetrics *text)
{
	return text->kind == OPENMETRICS_COUNTER ? "_total"
	       : text->kind == OPENMETRICS_INFO	 ? "_info" : "";
}

/* "# WORD NAME ": the older format calls a family as its samples are called. */
static void put_head(struct openmetrics *text, const char *word)
{
	put_text(text, "# ");
	put_text(text, word);
	put_text(text, " ");
	put_text(text, text->name);
	if (text->format == OPENMETRICS_PROMETHEUS)
		put_text(text, suffix(text));
	put_text(text, " ");
}

void openmetrics_family(struct openmetrics *text, const char *name, enum openmetrics_kind kind,
			const char *help)
{
	static const char *const kinds[][2] = {
		[OPENMETRICS_COUNTER] = { "counter", "counter" },
		[OPENMETRICS_GAUGE] = { "gauge", "gauge" },
		[OPENMETRICS_HISTOGRAM] = { "histogram", "histogram" },
		[OPENMETRICS_INFO] = { "gauge", "info" },
	};

	text->name = name;
	text->kind = kind;
	put_head(text, "HELP");
	put_text(text, help);
	put_text(text, "\n");
	put_head(text, "TYPE");
	put_text(text, kinds[kind][text->format]);
	put_text(text, "\n");
}

void openmetrics_sample(struct openmetrics *text)
{
	put_text(text, text->name);
	put_text(text, suffix(text));
	text->labelled = false;
}

void openmetrics_labels(struct openmetrics *text, const char *ready)
{
	if (!*ready)
		return;
	put_text(text, text->labelled ? "," : "{");
	put_text(text, ready);
	text->labelled = true;
}

/* Only backslash, quote and newline are escaped, in both formats. */
void openmetrics_label(struct openmetrics *text, const char *name, const char *value)
{
	put_text(text, text->labelled ? "," : "{");
	put_text(text, name);
	put_text(text, "=\"");
	text->labelled = true;
	while (*value) {
		size_t n = strcspn(value, "\\\"\n");

		put(text, value, n);
		value += n;
		if (!*value)
			break;
		put_text(text, *value == '\n' ? "\\n" : *value == '"' ? "\\\"" : "\\\\");
		value++;
	}
	put_text(text, "\"");
}

void openmetrics_count(struct openmetrics *text, uint64_t value)
{
	put_text(text, text->labelled ? "} " : " ");
	put_number(text, value);
	put_text(text, "\n");
}

void openmetrics_micros(struct openmetrics *text, uint64_t micros)
{
	put_text(text, text->labelled ? "} " : " ");
	put_seconds(text, micros);
	put_text(text, "\n");
}

void openmetrics_one(struct openmetrics *text, const char *name, enum openmetrics_kind kind,
		     const char *help, uint64_t value)
{
	openmetrics_family(text, name, kind, help);
	openmetrics_sample(text);
	openmetrics_count(text, value);
}

void openmetrics_took(struct histogram *histogram, uint64_t micros)
{
	size_t i = 0;

	while (i < HISTOGRAM_BOUNDS && micros > bounds[i])
		i++;
	histogram->counts[i]++;
	histogram->micros += micros;
}

static void put_part(struct openmetrics *text, const char *part)
{
	put_text(text, text->name);
	put_text(text, part);
	text->labelled = false;
}

void openmetrics_histogram(struct openmetrics *text, const char *name, const char *help,
			   const struct histogram *histogram)
{
	uint64_t sum = 0;

	openmetrics_family(text, name, OPENMETRICS_HISTOGRAM, help);
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		sum += histogram->counts[i];
		put_part(text, "_bucket");
		put_text(text, "{le=\"");
		if (i < HISTOGRAM_BOUNDS)
			put_seconds(text, bounds[i]);
		else
			put_text(text, "+Inf");
		put_text(text, "\"");
		text->labelled = true;
		openmetrics_count(text, sum);
	}
	put_part(text, "_sum");
	openmetrics_micros(text, histogram->micros);
	put_part(text, "_count");
	openmetrics_count(text, sum);
}

int openmetrics_end(struct openmetrics *text)
{
	if (text->format == OPENMETRICS_1)
		put_text(text, "# EOF\n");
	if (text->fd >= 0)
		flush(text);
	return text->error;
}
