/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside kernel/ only: what one rtnetlink message adds to the facts. */
#pragma once

#include "plan/plan.h"

struct nl_msg;

struct reading {
	struct facts facts;
	size_t near;				/* link that was asked for last */
	bool way_out[FAMILIES];			/* some route or rule leads out */
};

/* Callbacks of libnl: @context is a struct reading. Links come first, as the others name them. */
int facts_take_link(struct nl_msg *msg, void *context);
int facts_take_address(struct nl_msg *msg, void *context);
int facts_take_route(struct nl_msg *msg, void *context);
int facts_take_rule(struct nl_msg *msg, void *context);

/* Ends the dump at the first IPv6 route that leads out. */
int facts_take_any_route6(struct nl_msg *msg, void *context);
