/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plan/ only. */
#pragma once

#include "plan/plan.h"

/* Fill @plan->usability and the sets usable, snat, spread, own and steer from the facts. */
void plan_usable_build(const struct model *model, const struct facts *facts, struct plan *plan);
