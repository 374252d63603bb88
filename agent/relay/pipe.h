/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Octets both ways between two sockets, blindly, until both ends are done; at most 64 KB wait in
 * each direction.
 */
#pragma once

#include "relay/worker.h"
#include "smtp/buffer.h"

/*
 * pipe_start - takes both descriptors
 * @to_client, @to_upstream: what was read already and not written; taken, may be NULL
 * @done: called once at the end, with the octets that went each way
 */
void pipe_start(struct worker *worker, struct fd client, struct fd upstream,
		struct buffer *to_client, struct buffer *to_upstream,
		void (*done)(void *context, uint64_t up, uint64_t down), void *context);
