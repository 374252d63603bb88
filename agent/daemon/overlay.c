/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See overlay.h. Entries stay where they are, so that the text changes as little as it can; one that
 * is taken out leaves a hole, and when half of them are holes they are closed.
 */
#include "daemon/overlay.h"

#include "base/digest.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define FIRST_LINE	"# outbind-runtime 1: changed at run time; outbindctl writes this file\n"
#define FIRST_WORDS	"# outbind-runtime 1:"
#define LAST_WORDS	"# end "

void overlay_item_drop(struct item *item)
{
	free(item->key);
	free(item->text);
	*item = (struct item){ 0 };
}

struct item overlay_item_copy(const struct item *item)
{
	struct item copy = *item;

	copy.key = mem_copy(item->key);
	copy.text = mem_copy(item->text);
	return copy;
}

/* @word as the scanner takes it, in quotes if it must be; malloc'd. */
static char *quoted(const char *word)
{
	bool bare = *word && !word[strcspn(word, " \t{};,\"#\\")];
	char *text = mem_zero(2 * strlen(word) + 3, 1), *at = text;

	if (bare) {
		free(text);
		return mem_copy(word);
	}
	*at++ = '"';
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			*at++ = '\\';
		*at++ = *word;
	}
	*at = '"';
	return text;
}

static struct item make(enum item_kind kind, bool removal, const char *key, const char *head,
			const char *word, const char *tail)
{
	struct item item = { .kind = kind, .remove = removal, .key = mem_copy(key) };

	if (asprintf(&item.text, "%s%s%s\n", head, word, tail) < 0)
		abort();
	return item;
}

struct item overlay_suspension(const char *name)
{
	AUTO(mem_drop) char *word = quoted(name);

	return make(ITEM_SUSPEND, false, name, "suspend ", word, ";");
}

struct item overlay_removal(enum item_kind kind, const char *key)
{
	AUTO(mem_drop) char *word = quoted(key);

	switch (kind) {
	case ITEM_BINDING:
		return make(kind, true, key, "remove binding ", word, ";");
	case ITEM_GROUP:
		return make(kind, true, key, "remove group ", word, ";");
	case ITEM_UPLINK:
		return make(kind, true, key, "remove uplink ", word, ";");
	case ITEM_RULE:
		return make(kind, true, key, "remove policy { ", key, "; }");
	case ITEM_BYPASS:
		return make(kind, true, key, "remove bypass { ", key, "; }");
	case ITEM_DEFAULT:
		return make(kind, true, key, "remove default-binding", "", ";");
	case ITEM_SUSPEND:
	case ITEM_RELAY:
	case ITEM_DNS:
	case ITEM_METRICS:
		break;
	}
	return make(kind, true, key, "resume ", word, ";");
}

void overlay_drop(struct overlay *overlay)
{
	for (size_t i = 0; i < overlay->n; i++)
		overlay_item_drop(&overlay->at[i].item);
	free(overlay->at);
	index_drop(&overlay->index);
	*overlay = (struct overlay){ 0 };
}

static uint32_t hash_of(enum item_kind kind, const char *key)
{
	return index_hash(key, strlen(key)) + (uint32_t)item_space(kind);
}

static void add(struct overlay *overlay, struct item item, bool hides)
{
	index_add(&overlay->index, hash_of(item.kind, item.key), (uint32_t)overlay->n);
	PUSH(overlay, ((struct overlay_entry){ item, hides }));
}

void overlay_copy(const struct overlay *from, struct overlay *ret)
{
	struct overlay copy = { 0 };

	for (size_t i = 0; i < from->n; i++)
		if (from->at[i].item.key)
			add(&copy, overlay_item_copy(&from->at[i].item), from->at[i].hides);
	*ret = copy;
}

struct overlay_entry *overlay_find(const struct overlay *overlay, enum item_kind kind,
				   const char *key)
{
	uint32_t hash = hash_of(kind, key), found;

	for (size_t step = 0; (found = index_next(&overlay->index, hash, &step)) != NO_INDEX;) {
		struct overlay_entry *entry = &overlay->at[found];

		if (entry->item.key && item_space(entry->item.kind) == item_space(kind) &&
		    strcmp(entry->item.key, key) == 0)
			return entry;
	}
	return NULL;
}

void overlay_put(struct overlay *overlay, struct item item, bool hides)
{
	struct overlay_entry *entry = overlay_find(overlay, item.kind, item.key);

	if (!entry) {
		add(overlay, item, hides);
		return;
	}
	overlay_item_drop(&entry->item);
	entry->item = item;
	entry->hides = hides;
}

static void close_holes(struct overlay *overlay)
{
	size_t n = overlay->n;

	index_drop(&overlay->index);
	overlay->n = overlay->n_dead = 0;
	for (size_t i = 0; i < n; i++)
		if (overlay->at[i].item.key)
			add(overlay, overlay->at[i].item, overlay->at[i].hides);
}

bool overlay_take(struct overlay *overlay, enum item_kind kind, const char *key)
{
	struct overlay_entry *entry = overlay_find(overlay, kind, key);

	if (!entry)
		return false;
	overlay_item_drop(&entry->item);
	if (++overlay->n_dead > overlay->n / 2)
		close_holes(overlay);
	return true;
}

void overlay_merge(struct overlay *overlay, const struct item *item, bool in_files)
{
	const struct overlay_entry *old = overlay_find(overlay, item->kind, item->key);
	bool hides = old ? old->hides : in_files;

	if (item->remove && (!hides || item->kind == ITEM_SUSPEND))
		(void)overlay_take(overlay, item->kind, item->key);
	else
		overlay_put(overlay, overlay_item_copy(item), hides);
}

static void print_items(const struct overlay *overlay, bool suspensions, FILE *out)
{
	for (size_t i = 0; i < overlay->n; i++) {
		const struct item *item = &overlay->at[i].item;
		size_t len;

		if (!item->key || (item->kind == ITEM_SUSPEND) != suspensions)
			continue;
		len = strlen(item->text);
		fprintf(out, "%s%s", item->text,
			len > 0 && item->text[len - 1] == '\n' ? "" : "\n");
	}
}

unsigned overlay_line(const struct overlay *overlay, enum item_kind kind, const char *key)
{
	const struct overlay_entry *entry = overlay_find(overlay, kind, key);
	unsigned line = 2;			/* after FIRST_LINE */

	for (size_t i = 0; i < overlay->n && &overlay->at[i] != entry; i++) {
		const struct item *item = &overlay->at[i].item;

		if (!item->key || item->kind == ITEM_SUSPEND)
			continue;
		for (const char *c = item->text; *c; c++)
			line += *c == '\n';
	}
	return line;
}

static char *print(const struct overlay *overlay, const char *head, size_t *ret_len,
		   size_t *ret_definitions)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	if (!out)
		abort();
	fputs(head, out);
	print_items(overlay, false, out);
	*ret_definitions = (size_t)ftell(out);
	print_items(overlay, true, out);
	if (fclose(out) != 0)
		abort();
	return text;
}

char *overlay_text(const struct overlay *overlay, size_t *ret_len, size_t *ret_definitions)
{
	return print(overlay, "", ret_len, ret_definitions);
}

char *overlay_file(const struct overlay *overlay, size_t *ret_len, size_t *ret_definitions)
{
	size_t len = 0, room = 0;
	char *text = print(overlay, FIRST_LINE, &len, ret_definitions);
	char digest[DIGEST_HEX];

	digest_print(text, len, digest);
	text = mem_grow(text, &room, len + sizeof LAST_WORDS + DIGEST_HEX + 1, 1);
	len += (size_t)sprintf(text + len, LAST_WORDS "%s\n", digest);
	*ret_len = len;
	return text;
}

/* Where the last line of a text begins that ends with a newline. */
static size_t last_line(const char *text, size_t len)
{
	const char *before = len > 1 ? memrchr(text, '\n', len - 1) : NULL;

	return before ? (size_t)(before - text) + 1 : 0;
}

/* Number of the line that @at is in, from 1. */
static unsigned line_of(const char *text, size_t at)
{
	unsigned line = 1;

	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	return line;
}

/* NULL, or why the text is not what overlay_file() wrote. */
static const char *damage(const char *text, size_t len, unsigned *ret_line)
{
	char digest[DIGEST_HEX], want[sizeof LAST_WORDS + DIGEST_HEX + 1];
	size_t last = last_line(text, len), n;

	*ret_line = 1;
	if (len < strlen(FIRST_WORDS) || memcmp(text, FIRST_WORDS, strlen(FIRST_WORDS)) != 0)
		return "found another first line, expected '" FIRST_WORDS "'";
	*ret_line = line_of(text, last);
	if (text[len - 1] != '\n' || len - last < strlen(LAST_WORDS) ||
	    memcmp(text + last, LAST_WORDS, strlen(LAST_WORDS)) != 0)
		return "the last line, '" LAST_WORDS "' and a digest, is missing: the file was cut "
		       "off";
	digest_print(text, last, digest);
	n = (size_t)snprintf(want, sizeof want, LAST_WORDS "%s\n", digest);
	if (len - last != n || memcmp(text + last, want, n) != 0)
		return "the digest is not that of the lines above: they were changed by hand or "
		       "damaged";
	return NULL;
}

int overlay_read(const char *name, const char *text, size_t len, const struct conf_world *world,
		 struct overlay *ret, unsigned *reterr_line, const char **reterr_cause,
		 struct diag *diag)
{
	AUTO(items_drop) struct items items = { 0 };
	struct overlay overlay = { 0 };
	int r;

	*reterr_cause = damage(text, len, reterr_line);
	if (*reterr_cause)
		return -EBADMSG;
	r = conf_items(name, text, len, world, &items, diag);
	if (r < 0)
		return r;
	for (size_t i = 0; i < items.n; i++)
		overlay_put(&overlay, overlay_item_copy(&items.at[i]), true);
	*ret = overlay;
	return 0;
}
