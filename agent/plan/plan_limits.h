/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits in a plan: how many connections, and how many new ones, a binding or group may have, and who
 * gets the rest. They are statements of the elements of its mark, so that a limit costs no rule; only
 * the values of `per destination` are in the rules (plan->limits_to).
 */
#pragma once

#include "plan/plan.h"

/* Does anything limit @binding: then its mark is in SET_LIMITED* and not in SET_USABLE*. */
bool plan_limits_any(const struct binding *binding);

/* Collect the values of all limits `per destination`; the reader has seen that there is room. */
void plan_limits_collect(const struct model *model, struct plan *plan);

/* Append the limits of @binding, who it overflows to, and all that its number can lead to. */
void plan_limits_emit(const struct model *model, const struct facts *facts, struct plan *plan,
		      uint32_t binding);
