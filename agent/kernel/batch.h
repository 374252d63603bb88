/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One nf_tables transaction as it is built: messages in a buffer, each with its place in the plan,
 * so that a refusal can be told by the row that caused it. Elements are written straight from rows:
 * at a million elements an object each would cost more than the kernel's work.
 */
#pragma once

#include "kernel/channel.h"
#include "kernel/kernel.h"

struct batch_part {				/* one message of elements and the rows in it */
	uint32_t seq;
	size_t start;				/* of the message, in bytes */
	enum set_id set;
	size_t n;
	const uint8_t *rows;			/* contiguous, or NULL: */
	const struct op *ops;			/* one operation per row */
};

struct batch {
	struct channel *channel;
	uint8_t *at;
	size_t n, room;				/* bytes */
	struct nlmsghdr *open;			/* message being written, inside @at */
	struct { struct batch_part *at; size_t n, room; } parts;
	const char *table;
};

/* Start a transaction on @table. @generation: NFNL_BATCH_GENID, 0 for none. */
void batch_begin(struct batch *batch, struct channel *channel, const char *table,
		 uint32_t generation);
void batch_drop(struct batch *batch);

/* Start a message (NFT_MSG_*, NLM_F_* beside REQUEST) that later batch_put calls fill. */
void batch_message(struct batch *batch, uint16_t type, uint16_t flags);
void batch_put(struct batch *batch, uint16_t type, const void *value, size_t len);
void batch_put_text(struct batch *batch, uint16_t type, const char *text);
void batch_put_be32(struct batch *batch, uint16_t type, uint32_t host);

/* All rows of @rows, or one operation list's rows, as elements of their sets. */
void batch_rows(struct batch *batch, enum set_id set, const uint8_t *rows, size_t n);
void batch_ops(struct batch *batch, const struct op *ops, size_t n);

/* One row of a set that is not the plan's. */
void batch_row(struct batch *batch, enum op_verb verb, const struct set_shape *shape,
	       const uint8_t *row);

/* One element without a value in the set called @set. */
void batch_element(struct batch *batch, const char *set, const void *key, size_t len);

/* Set `about`: replace its one element's comment. @had_one: delete the old one first. */
void batch_about(struct batch *batch, const char *comment, bool had_one);

/* Seconds in which a quota of @n gets one more back: a week, or less if the kernel cannot count it. */
uint32_t batch_quota_unit(uint32_t n);

/* Send; the last message is given the ACK flag. Errors as channel_commit(), told in words. */
MUST_CHECK int batch_commit(struct batch *batch, struct kernel_error *reterr);
