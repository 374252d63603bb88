/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making destinations canonical; comparing them is in model.h. */
#pragma once

#include "model/index.h"
#include "model/model.h"

struct destination_lists {			/* what a rule's qualifiers listed, as written */
	struct { struct prefix *at; size_t n, room; } prefixes;
	struct { struct port_range *at; size_t n, room; } ports;
	struct { uint8_t *at; size_t n, room; } protocols;
};

/* Equal destinations once, however many rules have them: equal then means the same pointer. */
struct destination_pool {
	struct index index;
	struct { const struct destination **at; size_t n, room; } list;
};

void destination_lists_drop(struct destination_lists *lists);
void destination_pool_drop(struct destination_pool *pool);

/* A protocol whose packets carry ports where the kernel's `th dport` finds them. */
bool destination_has_ports(uint8_t protocol);

/* Order by prefixes, then ports, then protocols; NULL, no qualifier, comes last. */
int destination_compare(const struct destination *a, const struct destination *b);

/*
 * destination_intern - the canonical destination that @lists stand for, in @arena
 * @lists: sorted and shortened in place
 * Returns NULL if every packet matches.
 */
const struct destination *destination_intern(struct destination_pool *pool, struct arena *arena,
					     struct destination_lists *lists);
