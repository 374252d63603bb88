/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scanner of conf.l in small: the same words, quotes and comments, and their offsets. */
#include "pieces.h"

#include "base/mem.h"

#include <string.h>

enum { LISTED_DEPTH = 2, DEPTH_MAX = 1000 };

void pieces_drop(struct pieces *pieces)
{
	free(pieces->at);
	*pieces = (struct pieces){ 0 };
}

struct scan {
	const char *text;
	size_t len, at;
	struct pieces *pieces;
	unsigned depth;				/* of braces */
	uint32_t open[LISTED_DEPTH];		/* the statement that is begun, by depth */
};

/* Bytes of the quoted word at scan->at, or 0 if it is never closed. */
static size_t string_len(const struct scan *scan)
{
	for (size_t i = scan->at + 1; i < scan->len && scan->text[i] != '\n'; i++) {
		if (scan->text[i] == '"')
			return i + 1 - scan->at;
		i += scan->text[i] == '\\';
	}
	return 0;
}

static size_t word_len(const struct scan *scan)
{
	size_t end = scan->at;

	while (end < scan->len && (unsigned char)scan->text[end] > ' ' &&
	       !strchr("{};,\"#", scan->text[end]))
		end++;
	return end - scan->at;
}

static void begin(struct scan *scan, size_t len)
{
	struct piece piece = { .start = scan->at, .word_end = scan->at + len,
			       .parent = scan->depth > 0 ? scan->open[scan->depth - 1]
							 : PIECES_NONE };

	if (scan->depth >= LISTED_DEPTH || scan->open[scan->depth] != PIECES_NONE)
		return;
	scan->open[scan->depth] = (uint32_t)scan->pieces->n;
	PUSH(scan->pieces, piece);
}

static int finish(struct scan *scan)
{
	if (scan->depth >= LISTED_DEPTH)
		return 0;
	if (scan->open[scan->depth] == PIECES_NONE)
		return -EINVAL;
	scan->pieces->at[scan->open[scan->depth]].end = scan->at + 1;
	scan->open[scan->depth] = PIECES_NONE;
	return 0;
}

static int open_brace(struct scan *scan)
{
	if (scan->depth == DEPTH_MAX ||
	    (scan->depth < LISTED_DEPTH && scan->open[scan->depth] == PIECES_NONE))
		return -EINVAL;
	if (++scan->depth < LISTED_DEPTH)
		scan->open[scan->depth] = PIECES_NONE;
	return 0;
}

static int close_brace(struct scan *scan)
{
	if (scan->depth == 0 ||
	    (scan->depth < LISTED_DEPTH && scan->open[scan->depth] != PIECES_NONE))
		return -EINVAL;
	scan->depth--;
	return finish(scan);
}

/* What begins at scan->at; returns its length or -EINVAL. */
static ssize_t step(struct scan *scan)
{
	const char *end;
	size_t len;

	switch (scan->text[scan->at]) {
	case '#':
		end = memchr(scan->text + scan->at, '\n', scan->len - scan->at);
		return (end ? end : scan->text + scan->len) - (scan->text + scan->at);
	case ';':
		return finish(scan) < 0 ? -EINVAL : 1;
	case '{':
		return open_brace(scan) < 0 ? -EINVAL : 1;
	case '}':
		return close_brace(scan) < 0 ? -EINVAL : 1;
	case '"':
		len = string_len(scan);
		begin(scan, len);
		return len > 0 ? (ssize_t)len : -EINVAL;
	default:
		len = word_len(scan);
		if (len > 0)
			begin(scan, len);
		return len > 0 ? (ssize_t)len : 1;
	}
}

int pieces_read(const char *text, size_t len, struct pieces *ret)
{
	struct scan scan = { .text = text, .len = len, .pieces = ret,
			     .open = { PIECES_NONE, PIECES_NONE } };

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		scan.at = 3;			/* U+FEFF, which some editors put first */
	while (scan.at < len) {
		ssize_t n = step(&scan);

		if (n < 0)
			return -EINVAL;
		scan.at += (size_t)n;
	}
	return scan.depth == 0 && scan.open[0] == PIECES_NONE ? 0 : -EINVAL;
}

uint32_t pieces_find(const struct pieces *pieces, size_t offset)
{
	size_t first = 0, last = pieces->n;
	uint32_t found;

	while (first < last) {			/* the last one that begins at @offset or before */
		size_t middle = first + (last - first) / 2;

		if (pieces->at[middle].start <= offset)
			first = middle + 1;
		else
			last = middle;
	}
	for (found = first > 0 ? (uint32_t)first - 1 : PIECES_NONE;
	     found != PIECES_NONE && pieces->at[found].end <= offset;)
		found = pieces->at[found].parent;
	return found;
}

bool pieces_is(const char *text, const struct piece *piece, const char *word)
{
	return piece->word_end - piece->start == strlen(word) &&
	       memcmp(text + piece->start, word, strlen(word)) == 0;
}
