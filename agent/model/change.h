/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run-time change, split into the things that it says something about. */
#pragma once

#include "model/conf.h"

enum item_kind {
	ITEM_BINDING, ITEM_GROUP, ITEM_UPLINK, ITEM_RULE, ITEM_BYPASS, ITEM_DEFAULT, ITEM_SUSPEND,
	ITEM_RELAY,				/* a part of the relay stanza: never in a change text */
	ITEM_DNS,				/* the dns stanza: neither */
	ITEM_METRICS,				/* the metrics stanza: nor is this */
};

/* The kind that stands for all whose keys are names of one set: bindings and groups have one. */
static inline enum item_kind item_space(enum item_kind kind)
{
	return kind == ITEM_GROUP ? ITEM_BINDING : kind;
}

const char *item_kind_name(enum item_kind kind);	/* "binding", "suspension", ... */

struct item {
	enum item_kind kind;
	bool remove;				/* `remove`, or `resume` */
	/*
	 * What the thing is called: a name; a prefix, "connected" or "private"; "default-binding"; a
	 * rule's client and destination as conf_print_key() prints them. Bindings and groups have
	 * their names from one set, and `remove group` comes as ITEM_GROUP.
	 */
	char *key;
	char *text; /* a text of the change language of its own, newline at its end */
	struct where where;
};

struct items { struct item *at; size_t n, room; };

void items_drop(struct items *items);

/* First words of statements that only a file may have, which no change says: NULL ends them. */
extern const char *const conf_files_only[];

/*
 * conf_items - split a change text into its things, without resolving names
 * @name: what places call the text; it is file 0
 * @ret:  in order of the text; written on success only, to be dropped by the caller
 * @diag: receives every problem that needs no other text to be seen: form, things said twice
 *
 * Texts of items, joined in any order, read as a layer that means the same as @text.
 * Returns 0, or -EINVAL if @diag has errors.
 */
MUST_CHECK int conf_items(const char *name, const char *text, size_t len,
			  const struct conf_world *world, struct items *ret, struct diag *diag);
