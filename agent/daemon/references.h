/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who refers to a binding or group, and the same statements referring to another one instead. A
 * removal needs both. Pure but for memory.
 */
#pragma once

#include "model/model.h"

#include <stdio.h>

struct reference {
	const char *what;			/* "rule", "group", "unusable", "overflow", ... static */
	char *name;				/* the rule's client and destination, or who refers */
	char *place;				/* "path:line:column" */
};

struct references {
	struct reference *at;
	size_t n, room;
	uint64_t n_all;				/* n may be fewer */
};

void references_drop(struct references *references);

/* At most @max of those of @binding, in order of the text; the binding's own do not count. */
void references_find(const struct model *model, uint32_t binding, size_t max,
		     struct references *ret);

/* The same of the relay stanza only, which no change at run time can move to another binding. */
void references_find_relay(const struct model *model, uint32_t binding, size_t max,
			   struct references *ret);

/*
 * references_move - write statements of the change language that refer to @other instead
 * Rules keep client and destination. A member of a group gives @other its weight, and just leaves
 * if @other cannot be a member there; `unusable use` and `overflow` that would come to refer to
 * their own binding are left out. @model is as before when this returns.
 */
void references_move(struct model *model, uint32_t binding, uint32_t other, FILE *out);
