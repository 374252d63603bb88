/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model as a list of things, each with the kind and key that change texts know it by and with its
 * canonical text; and what differs between two such lists. Pure.
 */
#pragma once

#include "model/change.h"
#include "model/index.h"

#define DEFAULT_KEY	"default-binding"	/* of an ITEM_DEFAULT */

struct thing {
	enum item_kind kind;
	char *key, *text;			/* text "": it uses a name that is nobody's */
	char *name;				/* as people wrote it, or NULL: as the key */
};

struct things { struct thing *at; size_t n, room; };

void things_drop(struct things *things);

/* All of @model, sorted. Suspensions are no part of it. */
void things_all(const struct model *model, struct things *ret);

/* Those that @items speak of and that @model has, sorted. */
void things_some(const struct model *model, const struct items *items, struct things *ret);

/* Sorted, so this takes the logarithm of their number. NULL if there is none. */
const struct thing *things_find(const struct things *things, enum item_kind kind, const char *key);

struct difference {
	const char *what;			/* "added", "removed", "changed" */
	enum item_kind thing;
	const char *kind;			/* "binding", "rule", ... */
	char *key, *name;			/* for programs, and for people */
	char *before, *after;			/* canonical text; NULL: not there */
};

/* One answer must stay below VARLINK_MESSAGE_MAX: what is left out is counted. */
struct differences {
	struct difference *at;
	size_t n, room, bytes, left_out;
};

void things_differences_drop(struct differences *differences);
void things_difference_add(struct differences *differences, const char *what, enum item_kind kind,
			   const char *key, const char *before, const char *after);

/* From @before to @after, in order of kind and key. */
void things_compare(const struct things *before, const struct things *after,
		    struct differences *ret);
