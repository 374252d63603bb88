/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside plan/ only: the classes of destinations. Two packets are of one class when the same
 * destinations (the qualifiers of rules, each distinct one once) match them; class 0 is matched by
 * none. What the data path needs to know of a packet's destination is its class and no more.
 */
#pragma once

#include "plan/plan.h"
#include "plan/plan_idsets.h"

struct classes {
	uint32_t *of_rule;			/* id of its destination, from 0; NO_INDEX: no qualifier */
	struct { const struct destination **at; size_t n, room; } destinations;	/* by id */
	struct idsets labels;			/* label -> destinations whose `to` covers the address */
	uint8_t *label_families;		/* by label: bit for each family that has it */
	struct idsets sets;			/* class -> destinations that match */
	uint8_t *families;			/* by class */
	struct ids any_to;			/* destinations without `to` */
	size_t *first;				/* by destination: its classes are at in[first[id]]... */
	uint32_t *in;				/* ...up to in[first[id + 1]], ascending */
};

void plan_classes_drop(struct classes *classes);

/*
 * plan_classes_build - compute classes and fill the sets to4, to6, where_port, where_protocol
 * Returns 0 or -E2BIG (more than PLAN_ROWS_MAX rows, or as many ids in sets).
 */
MUST_CHECK int plan_classes_build(const struct model *model, struct plan *plan,
				  struct classes *ret_classes);

/* First step of it: fill of_rule, destinations, labels and label_families, and the sets to4, to6. */
MUST_CHECK int plan_labels_build(const struct model *model, struct plan *plan,
				 struct classes *classes);

/* How many classes a destination is part of: a narrower destination has fewer. */
static inline size_t plan_classes_breadth(const struct classes *classes, uint32_t id)
{
	return classes->first[id + 1] - classes->first[id];
}
