/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thing that some file defines is replaced or cut out there; a thing that is new goes to the end
 * of the target. Which statement defines a thing is found by the reader itself (conf_items), so
 * that the two cannot disagree. And whatever came out is not trusted: fold_check() reads it.
 */
#include "fold.h"

#include "base/mem.h"
#include "fold_check.h"
#include "layout.h"
#include "pieces.h"
#include "whole.h"

#include <string.h>

void fold_drop(struct fold *fold)
{
	for (size_t i = 0; i < fold->files.n; i++) {
		struct fold_file *file = &fold->files.at[i];

		free(file->path);
		free(file->full);
		free(file->text);
		free(file->edits.at);
		surgery_drop(&file->hunks);
		free(file->result);
	}
	for (size_t i = 0; i < fold->texts.n; i++)
		free(fold->texts.at[i]);
	free(fold->files.at);
	free(fold->texts.at);
	*fold = (struct fold){ 0 };
}

struct lines { size_t *at; size_t n, room; };	/* where each begins */

static void lines_drop(struct lines *lines)
{
	free(lines->at);
}

static void lines_find(const char *text, size_t len, struct lines *ret)
{
	PUSH(ret, 0);
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\n')
			PUSH(ret, i + 1);
}

/* The piece in which an item of a file stands: the whole statement, or the one in the block. */
static uint32_t piece_of(const struct lines *lines, const struct pieces *pieces,
			 const struct item *item)
{
	bool listed = item->kind == ITEM_RULE || item->kind == ITEM_BYPASS;
	uint32_t found;

	if (item->where.line == 0 || item->where.line > lines->n)
		return PIECES_NONE;
	found = pieces_find(pieces, lines->at[item->where.line - 1] + item->where.column - 1);
	while (!listed && found != PIECES_NONE && pieces->at[found].parent != PIECES_NONE)
		found = pieces->at[found].parent;
	return found;
}

/* What stands in the block of "policy { ... }", or the text itself if there is no such block. */
static const char *inner_text(const struct item *item, size_t *ret_len)
{
	AUTO(pieces_drop) struct pieces pieces = { 0 };
	bool listed = item->kind == ITEM_RULE || item->kind == ITEM_BYPASS;
	size_t len = strlen(item->text);

	while (len > 0 && strchr(" \t\r\n", item->text[len - 1]))
		len--;
	*ret_len = len;
	if (!listed || pieces_read(item->text, len, &pieces) < 0 || pieces.n < 2)
		return item->text;
	*ret_len = pieces.at[1].end - pieces.at[1].start;
	return item->text + pieces.at[1].start;
}

static const char *keep(struct fold *fold, char *text)
{
	PUSH(&fold->texts, text);
	return text;
}

static void edit_item(struct fold *fold, struct fold_file *file, const struct piece *piece,
		      const struct item *item)
{
	struct edit edit = { .start = piece->start, .end = piece->end };
	size_t len;
	const char *text = inner_text(item, &len);

	if (!item->remove)
		edit.text = keep(fold, layout_statement(text, len));
	PUSH(&file->edits, edit);
	file->n_changes++;
}

/* Edit the statements of @file that say something about things of @layer; note them in @done. */
static int edit_file(struct fold *fold, struct fold_file *file, const struct pending *layer,
		     bool *done)
{
	AUTO(pieces_drop) struct pieces pieces = { 0 };
	AUTO(items_drop) struct items items = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	AUTO(lines_drop) struct lines lines = { 0 };
	char *AUTO(mem_drop) text = NULL;

	if (pieces_read(file->text, file->len, &pieces) < 0)
		return -EINVAL;
	text = whole_without_settings(file->text, file->len, &pieces);
	if (conf_items(file->path, text, file->len, &conf_system, &items, &diag) < 0)
		return -EINVAL;
	lines_find(file->text, file->len, &lines);
	for (size_t i = 0; i < items.n; i++) {
		const struct item *item = pending_same(layer, &items.at[i]);
		uint32_t piece = item ? piece_of(&lines, &pieces, &items.at[i]) : PIECES_NONE;

		if (piece == PIECES_NONE)
			continue;
		edit_item(fold, file, &pieces.at[piece], item);
		done[item - layer->items.at] = true;
	}
	return 0;
}

/* @text stands alone, or below others of its kind: those of one line stay together. */
static void append_text(const char *text, bool *first, FILE *out)
{
	bool tall = strchr(text, '\n') != NULL;

	(void)fprintf(out, "%s%s\n", *first || tall ? "\n" : "", text);
	*first = tall;
}

/* New items of one kind, in a block of their own if they need one. */
static void append_kind(const struct pending *layer, const bool *done, enum item_kind kind,
			const char *block, FILE *out, size_t *n)
{
	char *AUTO(mem_drop) all = NULL, *AUTO(mem_drop) laid = NULL;
	size_t size, before = *n;
	FILE *list = open_memstream(&all, &size);
	bool first = true;

	if (!list)
		abort();
	(void)fprintf(list, "%s {", block ? block : "");
	for (size_t i = 0; i < layer->items.n; i++) {
		const struct item *item = &layer->items.at[i];
		char *AUTO(mem_drop) text = NULL;
		const char *inner;
		size_t len;

		if (item->kind != kind || item->remove || done[i])
			continue;
		inner = inner_text(item, &len);
		text = layout_statement(inner, len);
		(*n)++;
		if (block)
			(void)fprintf(list, "\n    %s", text);
		else
			append_text(text, &first, out);
	}
	(void)fputs("\n}", list);
	if (fclose(list) != 0)
		abort();
	if (!block || *n == before)
		return;
	laid = layout_statement(all, size);
	append_text(laid, &first, out);
}

static void append_new(struct fold *fold, struct fold_file *target, const struct pending *layer,
		       const bool *done)
{
	static const struct {
		enum item_kind kind;
		const char *block;
	} order[] = {
		{ ITEM_BYPASS, "bypass" }, { ITEM_BINDING, NULL }, { ITEM_GROUP, NULL },
		{ ITEM_UPLINK, NULL }, { ITEM_DEFAULT, NULL }, { ITEM_RULE, "policy" },
	};
	char *text = NULL;
	size_t size, n = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		append_kind(layer, done, order[i].kind, order[i].block, out, &n);
	if (fclose(out) != 0)
		abort();
	if (n == 0) {
		free(text);
		return;
	}
	keep(fold, text);
	PUSH(&target->edits, ((struct edit){ target->len, target->len,
					     text + (target->len == 0) }));
	target->n_changes += n;
}

static void finish_files(struct fold *fold)
{
	for (size_t i = 0; i < fold->files.n; i++) {
		struct fold_file *file = &fold->files.at[i];

		fold->n_changes += file->n_changes;
		if (file->edits.n == 0)
			continue;
		surgery_cut(file->text, file->len, &file->edits, &file->hunks);
		file->result =
			surgery_result(file->text, file->len, &file->hunks, &file->result_len);
	}
}

static int edit_files(const struct ctl *ctl, struct fold *fold, const struct pending *layer,
		      bool *done)
{
	for (size_t i = 0; i < layer->items.n; i++) {
		done[i] = layer->items.at[i].kind == ITEM_SUSPEND;
		fold->n_suspensions += done[i];
	}
	for (size_t i = 0; i < fold->files.n; i++) {
		if (edit_file(fold, &fold->files.at[i], layer, done) == 0)
			continue;
		ctl_complain(ctl, "%s: cannot tell its statements apart", fold->files.at[i].path);
		return CTL_REFUSED;
	}
	return CTL_DONE;
}

int fold_make(const struct ctl *ctl, const char *config, const struct pending *layer,
	      const char *target, struct fold *ret)
{
	AUTO(fold_check_drop) struct fold_check check = { .config = config, .target = target };
	bool *AUTO(mem_drop) done = mem_zero(layer->items.n + 1, sizeof *done);
	int r = fold_check_begin(ctl, layer, &check, ret);

	if (r == CTL_DONE)
		r = edit_files(ctl, ret, layer, done);
	if (r != CTL_DONE)
		return r;
	append_new(ret, fold_check_target(&check, ret), layer, done);
	finish_files(ret);
	return fold_check_end(ctl, &check, ret);
}

void fold_print(const struct fold *fold, FILE *out)
{
	for (size_t i = 0; i < fold->files.n; i++)
		if (fold->files.at[i].result)
			surgery_print(fold->files.at[i].path, fold->files.at[i].text,
				      fold->files.at[i].len, &fold->files.at[i].hunks, out);
}
