/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plan/ only: rules to rows. */
#pragma once

#include "plan/plan_classes.h"
#include "plan/plan_rows.h"

struct conflict { uint32_t rule, earlier; };	/* neither is narrower */

struct claim {					/* a range of clients, what for, and by which rule */
	struct span span;
	uint32_t class;				/* 0: whatever no qualified rule claims */
	uint32_t rule;
};

struct claims { struct claim *at; size_t n, room; };

struct policy {					/* one compilation */
	const struct model *model;
	struct plan *plan;
	struct classes classes;
	struct { struct conflict *at; size_t n, room; } conflicts;
	struct { uint32_t outer, inner; bool known, contains; } memory[4096];	/* of containment */
	size_t rows;				/* rows and claims so far, against PLAN_ROWS_MAX */
};

/* Rules to by_*, sources* and otherwise. Returns 0, -EINVAL or -E2BIG as plan_build() does. */
MUST_CHECK int plan_policy_build(const struct model *model, const struct facts *facts,
				 struct plan *plan, struct diag *diag);

/* The mark that a rule's action stands for. */
struct fwmark plan_policy_mark(const struct policy *policy, uint32_t rule);

/* Both rules have qualifiers, and what @a matches is part of what @b matches and not all of it. */
bool plan_conflict_narrower(struct policy *policy, uint32_t a, uint32_t b);

/* Note that neither of two rules is narrower; report tells each pair once, at the later rule. */
void plan_conflict_add(struct policy *policy, uint32_t a, uint32_t b);
void plan_conflict_report(struct policy *policy, struct diag *diag);

/*
 * plan_overlay_resolve - ranges of clients, nested as they come, to disjoint rows
 * @claims:   reordered
 * @plain:    interval map from a client to a mark
 * @qualified: interval map from a client and a class to a mark
 *
 * The narrowest range wins, except that a range without a qualified rule for a class leaves that
 * class to wider ones only if it has no unqualified rule either. Two ranges of equal width that
 * overlap count as one client. Returns 0 or -E2BIG.
 */
MUST_CHECK int plan_overlay_resolve(struct policy *policy, struct claims *claims,
				    enum set_id plain, enum set_id qualified);
