/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Desired and actual plan to operations. Pure: no I/O, no clock. */
#pragma once

#include "plan/plan.h"

enum op_verb { OP_DELETE = 1, OP_ADD };

struct op {
	enum op_verb verb;
	enum set_id set;
	const uint8_t *row;			/* borrowed from the plan it is in */
};

struct ops { struct op *at; size_t n, room; };

void ops_drop(struct ops *ops);

/*
 * diff_plans - what turns @actual into @desired, in an order the kernel accepts
 *
 * All deletions of a set come before its additions: a changed value is DELETE then ADD of the same
 * key, because nf_tables refuses an element whose key exists with other data (-EEXIST,
 * net/netfilter/nf_tables_api.c nft_add_set_elem). Equal plans give no operation. Within one
 * transaction the order of sets does not matter to packets.
 */
void diff_plans(const struct plan *desired, const struct plan *actual, struct ops *ret_ops);

/*
 * diff_needs_epoch - may a packet that is judged meanwhile mix what was before @ops and after?
 *
 * Yes, if they change ranges of which clients and destinations are told, as the kernel takes those over
 * later than all else, or more than one set of them: a packet may be looked for here before and there
 * after. So may one be whose cgroup loses a rule that a cgroup below gets. Else elements of a single plain
 * set are there or not.
 */
bool diff_needs_epoch(const struct op *ops, size_t n);
