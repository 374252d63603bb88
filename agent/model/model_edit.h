/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One binding of another model put into a model that is in use, in place. */
#pragma once

#include "model/model.h"

struct model_edit {				/* to take it back */
	uint32_t slot;
	struct binding before;			/* name NULL: the slot was empty */
	size_t n_bindings, n_addresses;
};

/*
 * model_edit_put - copy binding @index of @from, which leads to no other one, into @to
 * @slot:  of the binding of that name, of an empty one, or to->bindings.n
 * @file:  index into to->files that its places are in now
 * @lines: to be added to their lines
 * Its name must not be in another slot. What it replaces stays in memory until model_drop().
 */
void model_edit_put(struct model *to, uint32_t slot, const struct model *from, uint32_t index,
		    uint32_t file, uint32_t lines, struct model_edit *ret);

void model_edit_remove(struct model *model, uint32_t slot, struct model_edit *ret);

/* Of the last edit only. */
void model_edit_undo(struct model *model, const struct model_edit *edit);
