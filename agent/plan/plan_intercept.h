/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plan/ only: whose connections are turned to the relay. */
#pragma once

#include "plan/plan.h"

/* The listeners of kind RELAY_INTERCEPT to SET_INTERCEPT_* and SET_TURNED_*. */
void plan_intercept_build(const struct model *model, const struct facts *facts, struct plan *plan);
