/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Diff: the files against what runs. Both sides become lists of "kind, name, text", sorted, and are
 * walked side by side. Reads the files as a reload would, and changes nothing.
 */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/listing.h"

#include <stdio.h>
#include <string.h>

/* One answer must stay below VARLINK_MESSAGE_MAX; what is left out is said in a last change. */
enum { CHANGES_MAX = 1000, TEXT_BYTES_MAX = 512 * 1024 };

struct item {
	const char *kind;
	char *name, *text;
};

struct items { struct item *at; size_t n, room; };

static void items_drop(struct items *items)
{
	for (size_t i = 0; i < items->n; i++) {
		free(items->at[i].name);
		free(items->at[i].text);
	}
	free(items->at);
	*items = (struct items){ 0 };
}

static void add(struct items *items, const char *kind, const char *name, char *text)
{
	struct item item = { kind, mem_text(name, strlen(name)), text };

	PUSH(items, item);
}

static void add_bindings(const struct model *model, struct items *items)
{
	for (uint32_t i = 0; i < model->bindings.n; i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);

		if (!out)
			abort();
		conf_print_binding(model, i, out);
		if (fclose(out) != 0)
			abort();
		add(items, "binding", model->bindings.at[i].name, text);
	}
}

static void add_rules(const struct model *model, struct items *items)
{
	for (size_t i = 0; i < model->rules.n; i++) {
		AUTO(rule_words_drop) struct rule_words words =
			listing_words(model, &model->rules.at[i]);
		AUTO(mem_drop) char *name = NULL;

		if (asprintf(&name, "%s%s%s", words.client, words.to[0] ? " " : "", words.to) < 0)
			abort();
		add(items, "rule", name, words.action);
		words.action = NULL;
	}
}

static void add_settings(const struct model *model, struct items *items)
{
	char text[PREFIX_TEXT], number[16];

	snprintf(number, sizeof number, "0x%x", model->mask.host);
	add(items, "mark-mask", "mark-mask", mem_text(number, strlen(number)));
	if (model->bypass_connected)
		add(items, "bypass", "connected", mem_text("", 0));
	if (model->bypass_private)
		add(items, "bypass", "private", mem_text("", 0));
	for (size_t i = 0; i < model->bypasses.n; i++)
		add(items, "bypass", prefix_print(&model->bypasses.at[i].prefix, text),
		    mem_text("", 0));
}

static int compare(const struct item *a, const struct item *b)
{
	int order = strcmp(a->kind, b->kind);

	return order ? order : strcmp(a->name, b->name);
}

static int by_name(const void *left, const void *right)
{
	return compare(left, right);
}

static void collect(const struct model *model, struct items *items)
{
	add_settings(model, items);
	add_bindings(model, items);
	add_rules(model, items);
	qsort(items->at, items->n, sizeof *items->at, by_name);
}

struct changes {
	json_t *list;
	size_t bytes, left_out;
};

static void push(struct changes *changes, const char *what, const struct item *files,
		 const struct item *running)
{
	const struct item *item = files ? files : running;

	changes->bytes += strlen(item->name) + (files ? strlen(files->text) : 0) +
			  (running ? strlen(running->text) : 0);
	if (json_array_size(changes->list) >= CHANGES_MAX || changes->bytes > TEXT_BYTES_MAX) {
		changes->left_out++;
		return;
	}
	json_array_append_new(changes->list,
			      json_pack("{s:s, s:s, s:o, s:o, s:o}", "what", what, "kind",
					item->kind, "name", method_json(item->name), "files",
					method_json(files ? files->text : NULL), "running",
					method_json(running ? running->text : NULL)));
}

static void compare_all(const struct items *files, const struct items *running,
			struct changes *changes)
{
	size_t f = 0, r = 0;

	while (f < files->n || r < running->n) {
		int order = f == files->n ? 1 : r == running->n ? -1
			: compare(&files->at[f], &running->at[r]);

		if (order < 0) {
			push(changes, "added", &files->at[f++], NULL);
		} else if (order > 0) {
			push(changes, "removed", NULL, &running->at[r++]);
		} else {
			if (strcmp(files->at[f].text, running->at[r].text) != 0)
				push(changes, "changed", &files->at[f], &running->at[r]);
			f++, r++;
		}
	}
}

static void answer(struct call *call, const struct model *fresh)
{
	AUTO(items_drop) struct items files = { 0 }, running = { 0 };
	struct changes changes = { .list = json_array() };

	collect(fresh, &files);
	collect(&call->agent->now->model, &running);
	compare_all(&files, &running, &changes);
	if (changes.left_out > 0) {
		char text[64];

		snprintf(text, sizeof text, "%zu more changes", changes.left_out);
		json_array_append_new(changes.list, json_pack("{s:s, s:s, s:s, s:n, s:n}", "what",
							      "changed", "kind", "left out", "name",
							      text, "files", "running"));
	}
	method_reply(call, json_pack("{s:o}", "changes", changes.list));
}

void method_diff(struct call *call)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	AUTO(model_drop) struct model fresh = { 0 };
	struct diag diag = { 0 };
	int r = conf_read(call->agent->options->config, call->agent->world, &fresh, &diag);

	problems_take(&out.problems, &fresh, &diag);
	if (r < 0)
		method_fail_outcome(call, r, &out);
	else
		answer(call, &fresh);
}
