/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line in the access log for each connection of a SOCKS5 or PROXY client. Keys are in outbind-relay(8). */
#pragma once

#include "relay/upstream.h"

struct raw_record {				/* borrowed, but for @left_from */
	const struct front_kind *front;
	struct ip client;			/* len 0: at a Unix socket */
	const struct route *route;		/* NULL: it was not decided */
	struct buffer left_from;		/* of raw_record_upstream() */
	uint64_t began;				/* usec */
	uint64_t up, down;			/* octets that went each way */
};

/* Note where it left from and went, before the upstream is given away. */
void raw_record_upstream(struct raw_record *record, const struct upstream *upstream);

/* The line, and @record is given back. @refusal: why there was no connection; NULL: it is over. */
void raw_record_end(struct worker *worker, struct raw_record *record, const char *refusal);
