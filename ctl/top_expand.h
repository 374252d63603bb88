/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections of one binding or group by client and by destination. Pure: flows in, as the agent
 * lists them. Memory is bounded: what comes after TOP_PEERS different ones is counted together.
 */
#pragma once

#include "base/own.h"
#include "model/index.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum top_side { TOP_CLIENTS, TOP_DESTINATIONS, TOP_SIDES };
enum { TOP_PEERS = 1024, TOP_KNOWN = 65536, TOP_PEER_TEXT = 120 };

struct top_peer {
	char text[TOP_PEER_TEXT];
	double connections;
	double fresh, bytes;			/* a second, in the end; negative: not known */
};

struct top_known { uint32_t id; double bytes; };	/* a connection as it was seen */

struct top_expand {
	char *name;				/* whose connections */
	uint64_t usec;				/* when they were listed */
	struct top_peers {
		struct top_peer *at;
		size_t n, room;
		struct index by_text;		/* until the end */
	} sides[TOP_SIDES];
	double others[TOP_SIDES];		/* connections of peers beyond TOP_PEERS */
	struct { struct top_known *at; size_t n, room; } known;	/* sorted by id in the end */
	size_t n;				/* connections */
	bool counted;				/* some of them have bytes */
};

/*
 * top_expand_add - one more connection
 * @before: an earlier list of the same name, ended, or NULL
 * @flow:   a Flow of the agent, with what owners_add() found
 */
void top_expand_add(struct top_expand *expand, const struct top_expand *before, const json_t *flow);

/*
 * top_expand_end - all were added: put peers in order, the most connections first, and make rates
 * New are those that were not there before, bytes what those have that were: what came and went
 * in between is in neither. Not known without @before, or if either list has more than TOP_KNOWN.
 */
void top_expand_end(struct top_expand *expand, const struct top_expand *before);

void top_expand_free(struct top_expand *expand);	/* accepts NULL */
