/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why something cannot be used, with the names of what is to blame. */
#pragma once

#include "plan/plan.h"

enum { PLAN_REASON = 256 };

/*
 * plan_reason_say - "link eth1 is down", "another host has 192.0.2.11: 52:54:00:12:34:56", ...
 * @plan: what @model and @facts were compiled to
 *
 * One line, lower case, no full stop; of a binding that another one stands in for, both are named.
 */
void plan_reason_say(const struct model *model, const struct facts *facts, const struct plan *plan,
		     uint32_t binding, enum family family, char ret_text[static PLAN_REASON]);

void plan_reason_say_uplink(const struct model *model, const struct facts *facts,
			    const struct plan *plan, uint32_t uplink, enum family family,
			    char ret_text[static PLAN_REASON]);

/* "tcp 198.51.100.25:25", "icmp 2001:db8::1". */
enum { PROBE_TEXT = IP_TEXT + 16 };
const char *plan_reason_probe(const struct probe *probe, char out[static PROBE_TEXT]);
