/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edits become hunks: those that touch the same lines are done together, last one first, so that
 * the offsets of the others stay right and a line is seen to be empty when all has been cut.
 */
#include "surgery.h"

#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

void surgery_drop(struct hunks *hunks)
{
	for (size_t i = 0; i < hunks->n; i++)
		free(hunks->at[i].text);
	free(hunks->at);
	*hunks = (struct hunks){ 0 };
}

static int by_start(const void *left, const void *right)
{
	const struct edit *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

static size_t line_start(const char *text, size_t at)
{
	while (at > 0 && text[at - 1] != '\n')
		at--;
	return at;
}

/* After the line end of the line that @at is in. */
static size_t line_end(const char *text, size_t len, size_t at)
{
	const char *end = at < len ? memchr(text + at, '\n', len - at) : NULL;

	return end ? (size_t)(end - text) + 1 : len;
}

static bool is_blank(const char *text, size_t from, size_t to)
{
	while (from < to && strchr(" \t\r\n", text[from]))
		from++;
	return from == to;
}

struct buffer { char *at; size_t n, room; };

static void splice(struct buffer *buffer, size_t start, size_t end, const char *text, size_t len)
{
	buffer->at = mem_grow(buffer->at, &buffer->room, buffer->n - (end - start) + len + 1, 1);
	memmove(buffer->at + start + len, buffer->at + end, buffer->n - end);
	memcpy(buffer->at + start, text, len);
	buffer->n = buffer->n - (end - start) + len;
	buffer->at[buffer->n] = '\0';
}

/* Cut [@start, @end) out, with what would be left behind without use: a line of blanks, or the
 * blanks between it and what follows on the line. */
static void cut(struct buffer *buffer, size_t start, size_t end)
{
	size_t first = line_start(buffer->at, start), last = line_end(buffer->at, buffer->n, end);
	bool blank_before = is_blank(buffer->at, first, start);

	if (blank_before && is_blank(buffer->at, end, last)) {
		splice(buffer, first, last, "", 0);
		return;
	}
	if (is_blank(buffer->at, end, last))
		while (start > first && strchr(" \t", buffer->at[start - 1]))
			start--;
	else
		while (buffer->at[end] == ' ' || buffer->at[end] == '\t')
			end++;
	splice(buffer, start, end, "", 0);
}

/* @text with the line ends of the file, malloc'd. */
static char *with_ends(const char *text, bool returns, size_t *ret_len)
{
	char *out = mem_zero(2 * strlen(text) + 1, 1);
	size_t n = 0;

	for (; *text; text++) {
		if (returns && *text == '\n')
			out[n++] = '\r';
		out[n++] = *text;
	}
	*ret_len = n;
	return out;
}

static void put(struct buffer *buffer, const struct edit *edit, size_t base, bool returns)
{
	size_t start = edit->start - base, end = edit->end - base, len;
	char *AUTO(mem_drop) text = NULL;

	if (!edit->text || !*edit->text) {
		cut(buffer, start, end);
		return;
	}
	text = with_ends(edit->text, returns, &len);
	splice(buffer, start, end, text, len);
}

void surgery_cut(const char *text, size_t len, struct edits *edits, struct hunks *ret)
{
	const char *newline = memchr(text, '\n', len);
	bool returns = newline && newline > text && newline[-1] == '\r';

	if (edits->n > 0)
		qsort(edits->at, edits->n, sizeof *edits->at, by_start);
	for (size_t i = 0, next; i < edits->n; i = next) {
		struct hunk hunk = { .start = line_start(text, edits->at[i].start),
				     .end = line_end(text, len, edits->at[i].end) };
		struct buffer buffer = { 0 };

		for (next = i + 1; next < edits->n &&
				   line_start(text, edits->at[next].start) < hunk.end; next++)
			hunk.end = line_end(text, len, edits->at[next].end);
		splice(&buffer, 0, 0, text + hunk.start, hunk.end - hunk.start);
		for (size_t e = next; e-- > i;)
			put(&buffer, &edits->at[e], hunk.start, returns);
		hunk.text = buffer.at;
		PUSH(ret, hunk);
	}
}

char *surgery_result(const char *text, size_t len, const struct hunks *hunks, size_t *ret_len)
{
	struct buffer buffer = { 0 };
	size_t at = 0;

	splice(&buffer, 0, 0, "", 0);
	for (size_t i = 0; i < hunks->n; i++) {
		const struct hunk *hunk = &hunks->at[i];

		splice(&buffer, buffer.n, buffer.n, text + at, hunk->start - at);
		splice(&buffer, buffer.n, buffer.n, hunk->text, strlen(hunk->text));
		at = hunk->end;
	}
	splice(&buffer, buffer.n, buffer.n, text + at, len - at);
	*ret_len = buffer.n;
	return buffer.at;
}

/* What is different between old and new lines of a hunk, without the equal lines around it. */
struct span {
	size_t start, end;			/* in the old text */
	const char *text;
	size_t len;
};

static struct span trim(const char *text, const struct hunk *hunk)
{
	struct span span = { hunk->start, hunk->end, hunk->text, strlen(hunk->text) };

	for (;;) {				/* from the front */
		size_t old = line_end(text, span.end, span.start) - span.start;
		size_t new = line_end(span.text, span.len, 0);

		if (old == 0 || old != new || memcmp(text + span.start, span.text, old) != 0)
			break;
		span.start += old;
		span.text += new;
		span.len -= new;
	}
	while (span.start < span.end && span.len > 0) {	/* and from the back */
		size_t old = line_start(text + span.start, span.end - span.start - 1);
		size_t new = line_start(span.text, span.len - 1);
		size_t len = span.end - span.start - old;

		if (len != span.len - new ||
		    memcmp(text + span.start + old, span.text + new, len) != 0)
			break;
		span.end = span.start + old;
		span.len = new;
	}
	return span;
}

static size_t count_lines(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t at = 0; at < len; at = line_end(text, len, at))
		n++;
	return n;
}

static void print_lines(char sign, const char *text, size_t len, FILE *out)
{
	for (size_t at = 0, end; at < len; at = end) {
		end = line_end(text, len, at);
		(void)fprintf(out, "%c%.*s", sign, (int)(end - at), text + at);
		if (text[end - 1] != '\n')
			(void)fputs("\n\\ No newline at end of file\n", out);
	}
}

enum { AROUND = 3 };				/* lines of context */

static size_t back(const char *text, size_t at, size_t least)
{
	for (int i = 0; i < AROUND && at > least; i++)
		at = line_start(text, at - 1);
	return at;
}

static size_t forward(const char *text, size_t len, size_t at)
{
	for (int i = 0; i < AROUND && at < len; i++)
		at = line_end(text, len, at);
	return at;
}

struct spans { struct span *at; size_t n, room; };

struct printer {
	const char *text;
	size_t len;
	size_t seen, line;			/* lines of the old text before the offset @seen */
	long shift;				/* of line numbers in the new text */
	FILE *out;
};

/* Spans from @first to before @next, whose contexts meet. */
static void print_group(struct printer *printer, const struct spans *spans, size_t first,
			size_t next)
{
	const char *text = printer->text;
	size_t start = back(text, spans->at[first].start, printer->seen), at = start;
	size_t end = forward(text, printer->len, spans->at[next - 1].end), n_old, n_new;

	printer->line += count_lines(text + printer->seen, start - printer->seen);
	n_old = n_new = count_lines(text + start, end - start);
	for (size_t i = first; i < next; i++)
		n_new += count_lines(spans->at[i].text, spans->at[i].len) -
			 count_lines(text + spans->at[i].start,
				     spans->at[i].end - spans->at[i].start);
	(void)fprintf(printer->out, "@@ -%zu,%zu +%ld,%zu @@\n", printer->line + (n_old > 0), n_old,
		      (long)printer->line + printer->shift + (n_new > 0), n_new);
	for (size_t i = first; i < next; i++) {
		const struct span *span = &spans->at[i];

		print_lines(' ', text + at, span->start - at, printer->out);
		print_lines('-', text + span->start, span->end - span->start, printer->out);
		print_lines('+', span->text, span->len, printer->out);
		at = span->end;
	}
	print_lines(' ', text + at, end - at, printer->out);
	printer->line += n_old;
	printer->seen = end;
	printer->shift += (long)n_new - (long)n_old;
}

void surgery_print(const char *path, const char *text, size_t len, const struct hunks *hunks,
		   FILE *out)
{
	struct printer printer = { .text = text, .len = len, .out = out };
	struct spans spans = { 0 };

	for (size_t i = 0; i < hunks->n; i++) {
		struct span span = trim(text, &hunks->at[i]);

		if (span.start < span.end || span.len > 0)
			PUSH(&spans, span);
	}
	if (spans.n > 0)
		(void)fprintf(out, "--- %s\n+++ %s\n", path, path);
	for (size_t i = 0, next; i < spans.n; i = next) {
		for (next = i + 1; next < spans.n; next++)
			if (count_lines(text + spans.at[next - 1].end,
					spans.at[next].start - spans.at[next - 1].end) > 2 * AROUND)
				break;
		print_group(&printer, &spans, i, next);
	}
	free(spans.at);
}
