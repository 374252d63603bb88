/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Columns of text. Every cell is kept until the table is printed, because widths are known only
 * then; texts are packed into one arena so that a million bindings are a few dozen megabytes.
 * Needs a UTF-8 locale for wide and combining characters; in any other, each character counts one.
 */
#include "table.h"

#include "base/mem.h"
#include "base/own.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

enum { GAP = 2 };				/* spaces between columns */

void table_drop(struct table *table)
{
	arena_drop(&table->arena);
	free(table->cells.at);
	free(table->tints.at);
	*table = (struct table){ 0 };
}

/* Bytes of the UTF-8 character at @text (RFC 3629), or 0 if there is none. */
static size_t character_len(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t len = at[0] < 0x80	? 1
		     : at[0] >> 5 == 6	? 2
		     : at[0] >> 4 == 14 ? 3
		     : at[0] >> 3 == 30 ? 4
					: 0;

	for (size_t i = 1; i < len; i++)
		if (at[i] >> 6 != 2)
			return 0;
	return len;
}

/* Columns of the character of @len bytes at @text. */
static size_t character_width(const char *text, size_t len)
{
	mbstate_t state = { 0 };
	wchar_t wide;
	int width;

	if (len == 1 || mbrtowc(&wide, text, len, &state) != len)
		return 1;
	width = wcwidth(wide);
	return width < 0 ? 1 : (size_t)width;
}

size_t table_text_width(const char *text)
{
	size_t width = 0;

	while (*text) {
		size_t len = character_len(text);

		len = len > 0 ? len : 1;
		width += character_width(text, len);
		text += len;
	}
	return width;
}

/* C0, DEL, and C1 as UTF-8: what a terminal might act upon. */
static bool is_control(const char *text, size_t len)
{
	const unsigned char *at = (const unsigned char *)text;

	return at[0] < 0x20 || at[0] == 0x7f || (len == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

char *table_harmless(const char *text)
{
	char *out = mem_zero(strlen(text) * 4 + 1, 1), *at = out;

	while (*text) {
		size_t len = character_len(text);

		if (len == 0) {
			*at++ = '?';
			text++;
			continue;
		}
		if (is_control(text, len)) {
			at += sprintf(at, "\\x%02x", (unsigned char)text[len - 1]);
		} else {
			memcpy(at, text, len);
			at += len;
		}
		text += len;
	}
	return out;
}

void table_add(struct table *table, const char *text, enum tint tint)
{
	char *AUTO(mem_drop) harmless = table_harmless(text ? text : "");

	PUSH(&table->cells, arena_text(&table->arena, harmless, strlen(harmless)));
	PUSH(&table->tints, (unsigned char)tint);
}

void table_add_format(struct table *table, const char *format, ...)
{
	char *AUTO(mem_drop) text = NULL;
	va_list list;
	int n;

	va_start(list, format);
	n = vasprintf(&text, format, list);
	va_end(list);
	if (n < 0)
		abort();
	table_add(table, text, TINT_PLAIN);
}

void table_end_row(struct table *table)
{
	while (table->cells.n % table->n_columns != 0)
		table_add(table, "", TINT_PLAIN);
}

size_t table_fitting(const char *text, size_t room, bool *ret_cut)
{
	size_t width = 0, at = 0;

	*ret_cut = table_text_width(text) > room;
	while (text[at]) {
		size_t len = character_len(&text[at]);

		len = len > 0 ? len : 1;
		width += character_width(&text[at], len);
		if (width > room - (*ret_cut ? 1 : 0))
			break;
		at += len;
	}
	return at;
}

static void print_spaces(FILE *out, size_t n)
{
	(void)fprintf(out, "%*s", (int)n, "");
}

static const char *const tint_codes[] = {
	[TINT_PLAIN] = "",
	[TINT_GOOD] = "\033[32m",
	[TINT_BAD] = "\033[31m",
	[TINT_DIM] = "\033[2m",
};

struct layout {
	size_t widths[COLUMNS_MAX];
	unsigned width;
	bool color;
};

/* @cells of one row; @tints NULL: plain. Trailing empty cells and spaces are left out. */
static void print_row(const struct table *table, const struct layout *layout, FILE *out,
		      const char *const *cells, const unsigned char *tints)
{
	size_t last = table->n_columns, column = 0, owed = 0;

	while (last > 0 && !*cells[last - 1])
		last--;
	for (size_t i = 0; i < last; i++) {
		size_t width = table_text_width(cells[i]), pad = layout->widths[i] - width;
		size_t room = layout->width > column + 1 ? layout->width - column : 1,
		       len = strlen(cells[i]);
		bool cut = false, tinted = layout->color && tints && tints[i] != TINT_PLAIN;

		if (table->columns[i].align == ALIGN_RIGHT)
			owed += pad;
		print_spaces(out, owed);
		if (layout->width > 0 && i + 1 == last)
			len = table_fitting(cells[i], room, &cut);
		(void)fprintf(out, "%s%.*s%s%s", tinted ? tint_codes[tints[i]] : "", (int)len,
			      cells[i], cut ? "…" : "", tinted ? "\033[0m" : "");
		owed = GAP + (table->columns[i].align == ALIGN_LEFT ? pad : 0);
		column += layout->widths[i] + GAP;
	}
	(void)fputc('\n', out);
}

void table_print(struct table *table, FILE *out, unsigned width, bool color)
{
	struct layout layout = { .width = width, .color = color };
	const char *titles[COLUMNS_MAX] = { 0 };

	table_end_row(table);
	for (size_t i = 0; i < table->n_columns; i++) {
		titles[i] = table->columns[i].title;
		layout.widths[i] = titles[i] ? table_text_width(titles[i]) : 0;
	}
	for (size_t i = 0; i < table->cells.n; i++) {
		size_t cell = table_text_width(table->cells.at[i]),
		       *widest = &layout.widths[i % table->n_columns];

		*widest = cell > *widest ? cell : *widest;
	}
	if (titles[0])
		print_row(table, &layout, out, titles, NULL);
	for (size_t i = 0; i < table->cells.n; i += table->n_columns)
		print_row(table, &layout, out, &table->cells.at[i], &table->tints.at[i]);
}
