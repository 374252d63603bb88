/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See layout.h. The words are those of conf.l, as in pieces.c; here they are written anew. */
#include "layout.h"

#include "base/mem.h"
#include "base/own.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { INDENT = 4, ONE_LINE = 78, DEPTH_MAX = 8 };

struct text {					/* being read */
	const char *at, *end;
	bool failed;
};

struct lines { char **at; size_t n, room; };	/* statements of a block */

static void lines_drop(struct lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		free(lines->at[i]);
	free(lines->at);
}

/* How conf_print() orders them, which is how the manual does. Others stay behind, as they came. */
static size_t rank_of(const char *line)
{
	static const char *const order[] = {
		"member", "pick", "address", "ehlo", "interface", "gateway", "table", "unusable",
		"uplink", "limit", "overflow", "warmup", "probe", "sender-domain", "require", "allow",
	};
	size_t len = strcspn(line, " ;"), i = 0;

	while (i < ARRAY_LEN(order) &&
	       (strlen(order[i]) != len || strncmp(order[i], line, len) != 0))
		i++;
	return i;
}

/* Few, and those of one keyword keep their order. */
static void sort(struct lines *lines)
{
	for (size_t i = 1; i < lines->n; i++) {
		char *line = lines->at[i];
		size_t k = i;

		for (; k > 0 && rank_of(line) < rank_of(lines->at[k - 1]); k--)
			lines->at[k] = lines->at[k - 1];
		lines->at[k] = line;
	}
}

/* True if anything but blanks is left. A comment is not understood here. */
static bool skip_blanks(struct text *text)
{
	while (text->at < text->end && strchr(" \t\r\n", *text->at))
		text->at++;
	if (text->at < text->end && *text->at == '#')
		text->failed = true;
	return text->at < text->end && !text->failed;
}

static size_t word_len(struct text *text)
{
	const char *at = text->at;

	if (*at != '"') {
		while (at < text->end && (unsigned char)*at > ' ' && !strchr("{};,\"#", *at))
			at++;
		text->failed = text->failed || at == text->at;
		return (size_t)(at - text->at);
	}
	for (at++; at < text->end && *at != '\n'; at++) {
		if (*at == '"')
			return (size_t)(at + 1 - text->at);
		at += *at == '\\';
	}
	text->failed = true;
	return 0;
}

static void print_indented(const char *line, FILE *out)
{
	for (; *line; line++) {
		fputc(*line, out);
		if (*line == '\n')
			fprintf(out, "%*s", INDENT, "");
	}
}

static void print_block(const struct lines *lines, size_t head, FILE *out)
{
	bool one = lines->n == 1 && !strchr(lines->at[0], '\n') &&
		   head + strlen(lines->at[0]) < ONE_LINE;

	if (lines->n == 0 || one) {
		fprintf(out, "{ %s%s}", one ? lines->at[0] : "", one ? " " : "");
		return;
	}
	fputs("{\n", out);
	for (size_t i = 0; i < lines->n; i++) {
		fprintf(out, "%*s", INDENT, "");
		print_indented(lines->at[i], out);
		fputc('\n', out);
	}
	fputc('}', out);
}

static char *read_statement(struct text *text, unsigned depth);

static void read_block(struct text *text, unsigned depth, struct lines *ret)
{
	text->failed = text->failed || depth > DEPTH_MAX;
	while (skip_blanks(text) && *text->at != '}')
		PUSH(ret, read_statement(text, depth));
	text->failed = text->failed || text->at == text->end;
	text->at += !text->failed;		/* the brace */
}

static bool is_sorted(const char *text)
{
	static const char *const heads[] = { "binding ", "group ", "uplink " };

	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		if (strncmp(text, heads[i], strlen(heads[i])) == 0)
			return true;
	return false;
}

/* Words up to `;` or with a block; a comma is close to what is before it, and as far from the next word as
 * it was. */
static void read_words(struct text *text, unsigned depth, FILE *out)
{
	const char *begin = text->at, *before = text->at;

	while (skip_blanks(text)) {
		AUTO(lines_drop) struct lines lines = { 0 };
		size_t len;

		if (text->at > begin && *text->at != ';' && *text->at != ',' &&
		    (text->at > before || before[-1] != ','))
			fputc(' ', out);
		if (*text->at == ';' || *text->at == ',') {
			fputc(*text->at, out);
			before = ++text->at;
			if (text->at[-1] == ';')
				return;
			continue;
		}
		if (*text->at == '{') {
			text->at++;
			read_block(text, depth + 1, &lines);
			if (depth == 0 && is_sorted(begin))
				sort(&lines);
			print_block(&lines, (size_t)ftell(out), out);
			return;
		}
		len = word_len(text);
		fprintf(out, "%.*s", (int)len, text->at);
		text->at += len;
		before = text->at;
	}
	text->failed = true;
}

static char *read_statement(struct text *text, unsigned depth)
{
	char *line = NULL;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		abort();
	read_words(text, depth, out);
	if (fclose(out) != 0)
		abort();
	return line;
}

char *layout_statement(const char *text, size_t len)
{
	struct text reading = { .at = text, .end = text + len };
	char *line = skip_blanks(&reading) ? read_statement(&reading, 0) : NULL;

	if (line && !skip_blanks(&reading) && !reading.failed)
		return line;
	free(line);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		len--;
	return mem_text(text, len);
}
