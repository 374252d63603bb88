/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorted views of the generation in force, for answers in pieces. Borrowed indexes only. */
#pragma once

#include "model/model.h"

struct listing {
	uint32_t *by_name; /* bindings by name; NO_INDEX: the implicit `default` */
	size_t n_bindings;
	uint32_t *by_weight;			/* rules, the most specific first */
	uint32_t *rule_counts;			/* by binding: rules that use it */
};

struct listing *listing_new(const struct model *model);
void listing_free(struct listing *listing);		/* accepts NULL */

const char *listing_name(const struct model *model, uint32_t binding);

/* First position in by_name whose name is after @name; 0 for NULL. */
size_t listing_after(const struct listing *listing, const struct model *model, const char *name);

/* The binding name that looks most like @name, or NULL if none is near. */
const char *listing_nearest(const struct model *model, const char *name);

/* What a rule says, in the words of the configuration; .to is "" without qualifiers. */
struct rule_words { char *client, *to, *action; };
struct rule_words listing_words(const struct model *model, const struct rule *rule);
void rule_words_drop(struct rule_words *words);
