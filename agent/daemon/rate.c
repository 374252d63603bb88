/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See rate.h. A bucket is one number: the time at which it would be full, so nothing has to be refilled. */
#include "daemon/rate.h"

enum { USEC = 1000000 };

static struct rate_bucket *find(struct rates *rates, uid_t uid)
{
	struct rate_bucket *least = &rates->at[0];

	for (size_t i = 0; i < rates->n; i++) {
		if (rates->at[i].uid == uid)
			return &rates->at[i];
		if (rates->at[i].full < least->full)
			least = &rates->at[i];
	}
	if (rates->n < RATE_USERS)
		least = &rates->at[rates->n++];
	*least = (struct rate_bucket){ .uid = uid };
	return least;
}

bool rate_take(struct rates *rates, struct rate_limit limit, uid_t uid, uint64_t now)
{
	struct rate_bucket *bucket = find(rates, uid);
	uint64_t one = USEC / limit.per_second, full = bucket->full > now ? bucket->full : now;

	if (full + one > now + limit.burst * one)
		return false;
	bucket->full = full + one;
	return true;
}

void rate_owe(struct rates *rates, struct rate_limit limit, uid_t uid, uint64_t now, uint32_t n)
{
	struct rate_bucket *bucket = find(rates, uid);

	bucket->full = (bucket->full > now ? bucket->full : now) + n * (USEC / limit.per_second);
}
