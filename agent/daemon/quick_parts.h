/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside quick edits: whether one is of the kind that is done in place (quick_judge.c). quick.c does it. */
#pragma once

#include "daemon/quick.h"
#include "model/model_edit.h"
#include "plan/plan_change.h"

struct one {					/* one edit */
	struct agent *agent;
	const struct item *item;
	struct model fresh;			/* the binding alone; none if it is removed */
	uint32_t slot, number;
	bool is_new, new_number;
	struct model_edit edit;
	struct plan_change change;
	struct item old_item;			/* of the overlay; key NULL: there was none */
	bool old_hides;
	bool was_suspended;
};

/* Find its slot, read its statement, and say whether the model in force lets it be done in place. */
bool quick_may_edit(struct one *one);

/* It is done: what later edits of this generation must know of it. */
void quick_note(const struct one *one);
