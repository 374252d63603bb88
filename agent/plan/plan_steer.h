/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plan/ only: which way out a binding's packets take, and how routing is told. */
#pragma once

#include "plan/plan_usable.h"

static inline bool plan_has_uplink(const struct model *model, uint32_t binding)
{
	return model->bindings.at[binding].uplink < model->uplinks.n;
}

/* Rows of steer, steer_to, steer_bit and via of one binding and family. */
void plan_steer(const struct plan_host *host, const struct model *model, struct plan *plan,
		uint32_t binding, enum family family);

/* Its row of answer, if its uplink's answers must carry the number. */
void plan_steer_answers(const struct plan_host *host, const struct model *model, struct plan *plan,
			uint32_t binding);
