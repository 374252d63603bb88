/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A change text as items. The reader reads it as a layer; as a statement ends, what its action has
 * noted about it becomes an item, with the piece of the text from its first word to its last. So
 * an item reads as its author wrote it, names of users included.
 */
#include "model/change.h"

#include "base/mem.h"
#include "model/conf_actions.h"

#include <stdio.h>
#include <string.h>

const struct word conf_default_key = { .at = "default-binding", .len = 15 };

struct conf_split {
	const char *text;			/* as it came: the scanner changes its copy */
	struct { size_t *at; size_t n, room; } lines;	/* where each begins */
	struct items items;
	struct index index;			/* of items, by kind and key */
	struct item item;			/* of the statement that is read; key NULL: none */
};

void items_drop(struct items *items)
{
	for (size_t i = 0; i < items->n; i++) {
		free(items->at[i].key);
		free(items->at[i].text);
	}
	free(items->at);
	*items = (struct items){ 0 };
}

static void split_drop(struct conf_split *split)
{
	free(split->lines.at);
	free(split->item.key);
	items_drop(&split->items);
	index_drop(&split->index);
}

void conf_split_note(struct conf *conf, enum item_kind kind, bool remove, const struct word *key,
		     struct where where)
{
	if (!conf->split)
		return;
	free(conf->split->item.key);
	conf->split->item = (struct item){ .kind = kind, .remove = remove, .where = where,
					   .key = mem_text(key->at ? key->at : "", key->len) };
}

void conf_split_note_rule(struct conf *conf, const struct rule *rule, bool remove)
{
	char *AUTO(mem_drop) key = NULL;
	size_t len = 0;
	FILE *out;

	if (!conf->split)
		return;
	out = open_memstream(&key, &len);
	if (!out)
		abort();
	conf_print_key(conf->model, rule, out);
	if (fclose(out) != 0)
		abort();
	conf_split_note(conf, ITEM_RULE, remove, &(struct word){ .at = key, .len = len },
			rule->where);
}

const char *item_kind_name(enum item_kind kind)
{
	static const char *const names[] = {
		[ITEM_BINDING] = "binding", [ITEM_GROUP] = "group", [ITEM_UPLINK] = "uplink",
		[ITEM_RULE] = "rule", [ITEM_BYPASS] = "bypass",
		[ITEM_DEFAULT] = "default-binding", [ITEM_SUSPEND] = "suspension",
		[ITEM_RELAY] = "relay", [ITEM_DNS] = "dns", [ITEM_METRICS] = "metrics",
	};

	return names[kind];
}

/* Is the item that is read there already? To say so twice is an error, except for words of lists. */
static bool is_repeated(struct conf *conf, const struct item *item)
{
	struct conf_split *split = conf->split;
	uint32_t hash = index_hash(item->key, strlen(item->key)) + item_space(item->kind), other;

	for (size_t step = 0; (other = index_next(&split->index, hash, &step)) != NO_INDEX;) {
		const struct item *before = &split->items.at[other];

		if (item_space(before->kind) != item_space(item->kind) ||
		    strcmp(before->key, item->key) != 0)
			continue;
		if (item->kind == ITEM_RULE && !item->remove)
			conf_rule_repeated(conf, item->where, before->where);
		return true;
	}
	index_add(&split->index, hash, (uint32_t)split->items.n);
	return false;
}

static size_t offitem_space(const struct conf_split *split, struct where where)
{
	return split->lines.at[where.line - 1] + where.column - 1;
}

static char *item_text(const struct conf_split *split, const struct item *item, size_t start,
		       size_t end)
{
	bool listed = item->kind == ITEM_RULE || item->kind == ITEM_BYPASS;
	const char *block = item->kind == ITEM_RULE ? "policy" : "bypass";
	char *text = NULL;
	int r = !listed ? asprintf(&text, "%.*s\n", (int)(end - start), split->text + start)
			: asprintf(&text, "%s%s { %.*s }\n", item->remove ? "remove " : "", block,
				   (int)(end - start), split->text + start);

	if (r < 0)
		abort();
	return text;
}

void conf_split_end(struct conf *conf, struct where start)
{
	struct conf_split *split = conf->split;
	const struct conf_token *last = &conf->token;
	struct item item;

	if (!split || !split->item.key)
		return;
	item = split->item;
	split->item = (struct item){ 0 };
	if (is_repeated(conf, &item)) {
		free(item.key);
		return;
	}
	/* places are of use only as long as nothing was invented to go on after an error */
	if (conf->diag->n_errors == 0)
		item.text = item_text(split, &item, offitem_space(split, start),
				      offitem_space(split, last->where) + last->word.len);
	PUSH(&split->items, item);
}

static void find_lines(struct conf_split *split, size_t len)
{
	PUSH(&split->lines, 0);
	for (size_t i = 0; i < len; i++)
		if (split->text[i] == '\n')
			PUSH(&split->lines, i + 1);
}

int conf_items(const char *name, const char *text, size_t len, const struct conf_world *world,
	       struct items *ret, struct diag *diag)
{
	AUTO(split_drop) struct conf_split split = { .text = text + conf_mark_len(text, len) };
	AUTO(model_drop) struct model model = { 0 };
	const struct conf_layer layer = { name, text, len };

	find_lines(&split, len - (size_t)(split.text - text));
	conf_read_split(&layer, world, &split, &model, diag);
	if (diag->n_errors)
		return -EINVAL;
	*ret = split.items;
	split.items = (struct items){ 0 };
	return 0;
}
