/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What TLS mail to one destination demands: what the configuration says, and what a published policy
 * (sts.h) adds to it. Pure. A policy only ever adds: where it says less, the configuration holds.
 */
#pragma once

#include "relay/sts.h"

struct demand {					/* zero: nothing was said */
	enum relay_tls level;			/* where there are no TLSA records: up to VERIFY */
	bool dane;				/* TLSA records are looked for, and hold where there are some */
	bool needs_records;			/* and nothing is sent where there are none */
	char *names[STS_NAMES_MAX + 1];		/* NULL-ended: VERIFY demands one of them; none: the host's */
};

/* @policy: NULL if none was asked for; of no use when it has failed. */
struct demand demand_make(enum relay_tls configured, const struct sts_policy *policy);
/* Would a connection that was made for the one do for the other as well? */
bool demand_equal(const struct demand *a, const struct demand *b);
/* What holds for a host with that many TLSA records. @needs_tls: its client has it already. */
enum relay_tls demand_level(const struct demand *demand, size_t n_tlsa, bool needs_tls);
struct demand demand_take(struct demand *demand);
void demand_drop(struct demand *demand);
