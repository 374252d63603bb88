/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often a user may ask: a token bucket for each uid, in a table of fixed size. Pure. */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { RATE_USERS = 512 };

struct rate_limit { uint32_t per_second, burst; };	/* both at least 1 */

struct rate_bucket {
	uid_t uid;
	uint64_t full;				/* usec: when it will be full again; past: it is */
};

struct rates {					/* zero: nobody has asked yet */
	struct rate_bucket at[RATE_USERS];
	size_t n;
};

/*
 * rate_take - one more for @uid at @now (usec, monotonic)
 * False if it has asked too often; then nothing was taken. Where more than RATE_USERS users ask at once,
 * the bucket that is nearest to full is given to the next: it forgets least.
 */
bool rate_take(struct rates *rates, struct rate_limit limit, uid_t uid, uint64_t now);

/* @n more that @uid has taken already, beyond the burst too: it waits the longer for the next. */
void rate_owe(struct rates *rates, struct rate_limit limit, uid_t uid, uint64_t now, uint32_t n);
