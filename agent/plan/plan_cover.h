/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plan/ only: a list of prefixes reduced to those that no other one covers. */
#pragma once

#include "plan/plan.h"

struct cover_entry {
	struct prefix prefix;
	uint32_t origin;			/* of equal prefixes, the one with the lowest stays */
};

struct cover { struct cover_entry *at; size_t n, room; };

void plan_cover_drop(struct cover *cover);
void plan_cover_add(struct cover *cover, const struct prefix *prefix, uint32_t origin);

/* Sort and keep the outermost prefixes; before this, plan_cover_has() has no meaning. */
void plan_cover_finish(struct cover *cover);
bool plan_cover_has(const struct cover *cover, const struct ip *ip);

/* Rows of an interval set without data: neighbours with the same origin become one row. */
void plan_cover_emit(const struct cover *cover, struct plan *plan, enum set_id ipv4,
		     enum set_id ipv6);

/* Where a row of the bypass sets comes from, beside NO_INDEX, which is built in, and an index of
 * model->bypasses. */
enum bypass_origin { BYPASS_CONNECTED = UINT32_MAX - 2, BYPASS_PRIVATE };

/* The bypass sets: what is built in, what the model lists, what the facts add. */
void plan_cover_bypass(const struct model *model, const struct facts *facts, struct plan *plan);
