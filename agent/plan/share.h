/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which member of a group a slot belongs to. The kernel turns a connection into one of SHARE_SLOTS
 * slots, so a member's weight is how many of them it has: its quota, to within one slot. For sticky
 * groups this is remembered by name, over changes and restarts: a slot changes hands only if its
 * member went, or has more than its quota. Pure.
 */
#pragma once

#include "model/model.h"

#include <stdio.h>

enum { SHARE_SLOTS = 251 };			/* prime: see nft-templates/, chain pick */

struct share {					/* of one group */
	char *name;
	char **members;				/* names; slots hold indices of it */
	size_t n_members;
	uint8_t slots[SHARE_SLOTS];
};

struct shares { struct share *at; size_t n, room; };	/* sorted by name */

void shares_drop(struct shares *shares);
void shares_copy(const struct shares *from, struct shares *ret);

/*
 * shares_assign - what the groups of @model have, as near as can be to what they had
 * Groups that the model does not have, or that are not sticky, are forgotten.
 * @ret_changed: something is not as it was
 */
void shares_assign(struct shares *shares, const struct model *model, bool *ret_changed);

/* The share of the group called @name, or NULL. */
const struct share *shares_find(const struct shares *shares, const char *name);

/* As text: a version line, then "GROUP MEMBER SLOT SLOT-SLOT ..." a line. */
void shares_write(const struct shares *shares, FILE *out);

/* Read it back. An empty text is no shares. -EINVAL with the number of the line in *@ret_line. */
MUST_CHECK int shares_read(const char *text, size_t len, struct shares *ret, uint32_t *ret_line);

/*
 * share_divide - give each of @n members its quota of slots
 * @slots: in and out: index of the member that has the slot, or anything >= @n if nobody
 *
 * A member's quota is its part of all weights, rounded up or down, and at least one slot. Whoever
 * has more gives up, whoever has less takes; nothing else moves. @n from 1 to MEMBERS_MAX.
 */
void share_divide(const struct member *members, size_t n, uint8_t slots[static SHARE_SLOTS]);

/* Which of the @n members whose @usable is set gets @slot while its own member is not usable:
 * weighted highest random weight of their names. At least one must be usable. */
size_t share_fall_back(const struct member *members, const char *const *names, const bool *usable,
		       size_t n, uint32_t slot);

/* Slots in turn, each member as often as its weight says and spread out evenly; @usable as above. */
void share_turn(const struct member *members, const bool *usable, size_t n,
		uint8_t ret_slots[static SHARE_SLOTS]);

/* A pick whose slots are remembered. */
static inline bool share_is_sticky(enum pick pick)
{
	return pick == PICK_TO || pick == PICK_CLIENT;
}
