/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What workers share and sometimes need: deliveries whose acknowledgement was lost, for a day,
 * and destinations that failed at TLS, for an hour. Both bounded: the oldest goes. Lost with the
 * process.
 */
#pragma once

#include "base/types.h"
#include "smtp/session.h"

struct memory;

enum {
	MEMORY_DELIVERIES = 65536,
	MEMORY_DELIVERY_S = 86400,
	MEMORY_TLS = 16384,
	MEMORY_TLS_S = 3600
};

/* @now: a monotonic clock in seconds. Both sizes are powers of two. */
struct memory *memory_new(void);
void memory_free(struct memory *memory);
uint64_t memory_key(const struct memory *memory);	/* random, of this process */
void memory_remember(struct memory *memory, const struct fingerprint *fingerprint, uint64_t now);
/* True once for each that was remembered. */
bool memory_take(struct memory *memory, const struct fingerprint *fingerprint, uint64_t now);
void memory_tls_failed(struct memory *memory, const struct ip *ip, uint64_t now);
bool memory_tls_is_bad(struct memory *memory, const struct ip *ip, uint64_t now);
