/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One count of all connections: how many of each binding are alive, and how many ports are taken
 * towards each destination. For whoever shows it: capacity, metrics, a live view. Pure.
 *
 * A port is taken from one of two pools. A local sender's kernel gives each connection to one
 * destination another port of the address that the socket has, whichever binding it is of, so that
 * pool is known by the address before translation. Who is forwarded here brings a port, and SNAT
 * finds another one where it is taken: that pool is known by the address that is seen outside.
 *
 * Memory is bounded: with more than CENSUS_USES different uses the smallest are forgotten, and
 * @slack says how many ports a use may lack because of that.
 */
#pragma once

#include "kernel/connections.h"
#include "model/index.h"

enum { CENSUS_USES = 65536, CENSUS_SNAT_PORTS = 65535 - 1024 + 1 };

struct census_pool {				/* of ports towards one destination */
	struct ip source, to;			/* @source: see above */
	uint16_t to_port;
	uint8_t protocol;
	bool outside;				/* @source is what is seen outside: SNAT's ports */
	uint32_t live;
	uint32_t closing;			/* TIME_WAIT in conntrack: the port may be free already */
};

struct census_use {				/* what one binding has of a pool */
	uint32_t mark;				/* our bits; 0: of no binding */
	uint32_t near, far;			/* indexes of its pools: before, after translation */
	uint32_t live, closing;
};

struct census_live { uint32_t mark; uint32_t n[FAMILIES]; };

struct census {
	uint64_t serial;			/* from 1 */
	uint64_t salt;				/* random: who chooses ports cannot make hashes collide */
	uint64_t when, took;			/* usec: agent_clock() at its end; work that it was */
	uint64_t entries;			/* of conntrack, of all bindings and none */
	uint32_t slack;
	struct { struct census_pool *at; size_t n, room; } pools;
	struct { struct census_use *at; size_t n, room; } uses;
	struct { struct census_live *at; size_t n, room; } live;	/* by mark, unordered */
	struct index by_pool, by_use, by_mark;
};

/* Count one entry. @mask: our bits of its mark. */
void census_add(struct census *census, const struct connection *connection, struct fwmark mask);

void census_drop(struct census *census);

/* Live connections of a mark (our bits), or NULL: none. Constant time. */
const struct census_live *census_of(const struct census *census, struct fwmark mark);

/* One destination, one source: what is counted does not matter. */
bool census_same_pool(const struct census_pool *a, const struct census_pool *b);

/* The same pool in another census, or NULL. */
const struct census_pool *census_pool(const struct census *census, const struct census_pool *like);

static inline uint32_t census_taken(const struct census_pool *pool)
{
	return pool->live + pool->closing;
}
