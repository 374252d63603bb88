/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the plan in force to another one: which transaction, and what to do when it is refused. */
#pragma once

#include "daemon/agent.h"

enum { APPLY_TRIES = 4 };

/*
 * apply_plan - bring the kernel from agent->now->plan to @desired
 * @model: what @desired was compiled from, to name the line of a refused row
 *
 * The shadow is not touched. Returns 0, -EBUSY (the table is somebody else's) or -EREMOTEIO
 * (refused; out->text and out->place say what and where from); nothing was applied then.
 */
MUST_CHECK int apply_plan(struct agent *agent, const struct model *model,
			  const struct plan *desired, struct outcome *out);

/*
 * apply_in_place - the same when the plan in force was changed in place by @ops
 * A table that is ours alone is not looked at before, so this takes one transaction and nothing
 * else. If it fails, the caller takes the plan back.
 */
MUST_CHECK int apply_in_place(struct agent *agent, const struct ops *ops, struct outcome *out);

/* Write the whole table. Same results. */
MUST_CHECK int apply_table(struct agent *agent, const struct model *model,
			   const struct plan *desired, struct outcome *out);

/* What is wrong with the table for somebody who wrote the plan with @digest, or NULL. */
const char *apply_damage(const struct agent *agent, const struct table_about *about,
			 const char *digest);

/* Says in @out whose table it is, if it is not ours to write: -EBUSY, -EEXIST, else 0. */
MUST_CHECK int apply_foreign(const struct agent *agent, const struct table_about *about,
			     struct outcome *out);
