/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plan/ only: which bindings can carry traffic, judged from the facts. */
#pragma once

#include "plan/plan_cover.h"
#include "plan/plan.h"

struct plan_host {				/* the facts, ready to be asked about one binding */
	const struct facts *facts;
	struct cover local;
	struct { struct fwmark_rule *at; size_t n, room; } steering;	/* sorted, within our mask */
	size_t near;				/* where the last search ended: bindings come in order */
	const char *near_name;			/* interface that was asked for last, and its state */
	bool near_up;
};

void plan_host_open(const struct facts *facts, struct fwmark mask, struct plan_host *ret);
void plan_host_drop(struct plan_host *host);

/* Can a packet leave from address @index of the model now: USABLE, or why not. */
enum usable_reason plan_usable_address(struct plan_host *host, const struct model *model,
				       uint32_t index);

/* Judge one binding by itself, into plan->usability. */
void plan_usable_judge(struct plan_host *host, const struct model *model, struct plan *plan,
		       uint32_t binding);

/* Judge all, and then who stands in for whom. */
void plan_usable_build(struct plan_host *host, const struct model *model, struct plan *plan);
