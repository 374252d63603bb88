/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading our table: what it says of itself, single elements, counters. No big set is dumped: the
 * kernel's dump of one set is quadratic in its size. */
#pragma once

#include "kernel/channel.h"
#include "kernel/kernel.h"

struct table_head {				/* of the table itself, whoever wrote it */
	bool exists;
	uint32_t flags;				/* NFT_TABLE_F_* */
	uint32_t owner;				/* netlink port, 0 if none */
};

struct table_size { size_t n_chains, n_rules; };

/* Comment of the element in `about`: what a table says of itself. */
enum { TABLE_COMMENT = 128 };
void table_print_about(char out[static TABLE_COMMENT], const char *template_digest,
		       const char *plan_digest, struct table_size size, unsigned epoch);

MUST_CHECK int table_read_head(struct channel *channel, const char *table, struct table_head *ret);
MUST_CHECK int table_read_generation(struct channel *channel, uint32_t *ret);
/* @ret_size, @ret_epoch: as the table says it was made; unchanged if it is not ours. */
MUST_CHECK int table_read_about(struct channel *channel, const char *table,
				struct table_about *ret, struct table_size *ret_size,
				unsigned *ret_epoch);
MUST_CHECK int table_read_element(struct channel *channel, const char *table, enum set_id set,
				  const uint8_t *key, bool *ret_found,
				  uint8_t ret_value[static DATA_MAX]);
MUST_CHECK int table_read_packets(struct channel *channel, const char *table, enum set_id set,
				  const uint8_t *key, bool *ret_found, uint64_t *ret_packets);
MUST_CHECK int table_read_counters(struct channel *channel, const char *table,
				   struct kernel_counters *ret);

/* The elements of the two small sets that the guard writes; replaces *ret's. */
MUST_CHECK int table_read_strays(struct channel *channel, const char *table, struct strays *ret);
