/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside explaining: how its parts ask the plan. */
#pragma once

#include "plan/explain.h"

enum { CGROUP_LEVELS = 8 };			/* from the root down; deeper ones are not looked at */

struct asking {
	const struct plan *plan;
	const struct packet *packet;
	struct explanation *out;
	bool ipv4;				/* family of the destination */
	uint32_t class;
};

/* Look up @key and note it: the row of the plan, or NULL. */
const uint8_t *explain_ask(struct asking *asking, enum set_id set, const uint8_t *key);

/* How many cgroups the sender is in. */
static inline size_t explain_depth(const struct packet *packet)
{
	size_t n = 0;

	while (n < sizeof packet->cgroups / sizeof *packet->cgroups && packet->cgroups[n] != 0)
		n++;
	return n;
}

/* Is the connection turned to the relay? Then verdict and intercept are set. */
bool explain_intercept(struct asking *asking);
