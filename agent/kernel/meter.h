/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel has counted, read through sockets of one's own, so that a thread can do it while
 * the agent goes on with its own. Nothing here takes the lock of nf_tables, and no big set is dumped:
 * elements are looked up by key, some hundreds in one system call.
 */
#pragma once

#include "kernel/kernel.h"

struct channel;
struct meter;

/* To the table called @table in the network namespace of the calling thread. 0 or -errno. */
MUST_CHECK int meter_open(const char *table, struct meter **ret);
void meter_close(struct meter *meter);		/* accepts NULL */

/*
 * meter_read - what the counters of elements of @set have counted
 * @family: where the set's key has one
 * @marks:  @n of them, as the host has numbers
 * @ret:    @n; an element that is not there has counted nothing
 *
 * Constant time for each key, whatever the size of the set. 0, or -errno of the sockets.
 */
MUST_CHECK int meter_read(struct meter *meter, enum set_id set, enum family family,
			  const uint32_t *marks, size_t n, struct counted *ret);

/* Reasons by which refusals are counted for each number: sets of_* of the template. */
enum meter_reason { METER_UNUSABLE, METER_LIMIT, METER_REUSED, METER_OVERFLOWED, METER_DELAYED,
		    METER_STRAY, METER_GUARD, METER_UPLINK, METER_REASONS };

/* Called for each number and family that was refused at all. */
typedef void meter_refusal(void *context, struct fwmark mark, enum family family,
			   const struct counted *counted);

/* Those of one reason, by a dump of its set, which holds 65536 elements at most. -ENOENT: no table. */
MUST_CHECK int meter_refusals(struct meter *meter, enum meter_reason reason, meter_refusal *each,
			      void *context);

/* The named counters of the table; see struct kernel. */
MUST_CHECK int meter_counters(struct meter *meter, struct kernel_counters *ret);

struct meter_conntrack {			/* of all processors, since the namespace was made */
	uint64_t entries, max;
	uint64_t invalid, insert_failed, drop, early_drop, error, search_restart, clash_resolve;
};

/* 0 or -errno. What a kernel does not count is 0. */
MUST_CHECK int meter_conntrack(struct meter *meter, struct meter_conntrack *ret);
/* The same for who has no meter, by a channel from channel_open(). */
MUST_CHECK int meter_read_conntrack(struct channel *conntrack, struct meter_conntrack *ret);
