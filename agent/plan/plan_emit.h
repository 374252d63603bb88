/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plan/ only: the rows of one binding, all of them keyed by its mark. */
#pragma once

#include "plan/plan_usable.h"

/* The sets whose rows begin with the mark of the binding that they are of, and hold nothing else:
 * what plan_emit_binding() fills. SETS ends the list. */
extern const enum set_id plan_binding_sets[];

/* Append the rows of @binding to the sets above, unsorted; it was judged before. */
void plan_emit_binding(struct plan_host *host, const struct model *model, struct plan *plan,
		       uint32_t binding);
