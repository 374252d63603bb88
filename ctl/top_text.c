/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See top_text.h. */
#include "top_text.h"

#include "base/mem.h"
#include "base/own.h"

#include <string.h>

/* What is not ASCII becomes "?", a character each. */
static void make_ascii(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		unsigned char c = (unsigned char)*from;

		if (c < 0x80)
			*to++ = *from;
		else if (c >= 0xc0)		/* the rest of the character is 0x80 to 0xbf */
			*to++ = '?';
	}
	*to = '\0';
}

static void append(struct top_line *line, const char *text, size_t n)
{
	size_t room = sizeof line->text - 1 - line->len;

	n = n < room ? n : room;
	memcpy(line->text + line->len, text, n);
	line->len += n;
	line->text[line->len] = '\0';
}

static void append_blanks(struct top_line *line, size_t n)
{
	while (n-- > 0)
		append(line, " ", 1);
}

static void begin_span(struct top_line *line, enum top_style style)
{
	bool same = line->n_spans > 0 && line->spans[line->n_spans - 1].style == style;

	if (!same && line->n_spans < TOP_SPANS)
		line->spans[line->n_spans++] = (struct top_span){ line->len, style };
}

void top_line_add(struct top_line *line, const char *text, unsigned columns, enum align align,
		  enum top_style style)
{
	char *AUTO(mem_drop) harmless = table_harmless(text);
	const char *end = line->ascii ? "~" : "…";
	size_t len, used;
	bool cut;

	if (columns == 0)
		return;
	if (line->ascii)
		make_ascii(harmless);
	len = table_fitting(harmless, columns, &cut);
	harmless[len] = '\0';
	if (len + strlen(end) + columns >= sizeof line->text - line->len)
		harmless[len = 0] = '\0';	/* marks without end on a letter: not shown */
	used = table_text_width(harmless) + cut;
	begin_span(line, style);
	if (align == ALIGN_RIGHT)
		append_blanks(line, columns - used);
	append(line, harmless, len);
	if (cut)
		append(line, end, strlen(end));
	if (align == ALIGN_LEFT)
		append_blanks(line, columns - used);
}

static const char *scale(double value, double step, const char *units, char out[static TOP_NUMBER])
{
	size_t unit = 0;

	while (value >= step * 0.9995 && units[unit + 1]) {
		value /= step;
		unit++;
	}
	if (value > 9999)			/* more than there are words for */
		value = 9999;
	(void)snprintf(out, TOP_NUMBER, value < 9.95 ? "%.1f%.1s" : "%.0f%.1s", value,
		       units + unit);
	return out;
}

const char *top_number(double value, char out[static TOP_NUMBER])
{
	if (!(value >= 0))
		(void)snprintf(out, TOP_NUMBER, "-");
	else if (value < 9.95 && value > 0 && value != (double)(int)value)
		(void)snprintf(out, TOP_NUMBER, "%.1f", value);
	else if (value < 99999.5)
		(void)snprintf(out, TOP_NUMBER, "%.0f", value);
	else
		(void)scale(value / 1000, 1000, "kMGTPE", out);
	return out;
}

const char *top_bytes(double value, char out[static TOP_NUMBER])
{
	if (!(value >= 0) || value < 1023.5)
		(void)snprintf(out, TOP_NUMBER, value >= 0 ? "%.0f" : "-", value);
	else
		(void)scale(value / 1024, 1024, "KMGTPE", out);
	return out;
}

const char *top_percent(double part, double of, char out[static TOP_NUMBER])
{
	double percent = of > 0 ? part * 100 / of : -1;

	if (!(percent >= 0))
		(void)snprintf(out, TOP_NUMBER, "-");
	else
		(void)snprintf(out, TOP_NUMBER, percent < 9.95 ? "%.1f%%" : "%.0f%%",
			       percent < 999 ? percent : 999);
	return out;
}

enum { LEVELS = 8 };

static const char *level_text(float value, float most, bool ascii)
{
	static const char *const bars[LEVELS] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const plain[LEVELS] = { "_", ".", ":", "-", "=", "+", "*", "#" };
	int level = 0;

	if (!(value >= 0))
		return " ";
	if (value > 0)				/* anything is more than nothing */
		level = 1 + (int)((float)(LEVELS - 2) * value / most + 0.5F);
	level = level < LEVELS ? level : LEVELS - 1;
	return ascii ? plain[level] : bars[level];
}

void top_graph(const float *values, size_t n, unsigned columns, bool ascii, char *out, size_t room)
{
	size_t shown = n < columns ? n : columns, len = 0;
	float most = 0;

	for (size_t i = n - shown; i < n; i++)
		most = values[i] > most ? values[i] : most;
	for (size_t i = shown; i < columns && len + 1 < room; i++)
		out[len++] = ' ';
	for (size_t i = n - shown; i < n; i++) {
		const char *level = level_text(values[i], most, ascii);

		if (len + strlen(level) + 1 > room)
			break;
		memcpy(out + len, level, strlen(level));
		len += strlen(level);
	}
	out[len] = '\0';
}
