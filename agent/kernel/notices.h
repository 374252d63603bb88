/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notices: that something changed, never what. A reader that falls behind loses some (ENOBUFS), so
 * a notice only says what to read again, and a lost one says: everything.
 */
#pragma once

#include "base/own.h"

#include <stdint.h>

enum notice {
	NOTICE_ADDRESSES = 1 << 0,		/* addresses, links, local, on-link and default routes */
	NOTICE_RULES = 1 << 1,			/* `ip rule` */
	NOTICE_TABLE = 1 << 2,			/* our table was changed by somebody else */
	NOTICE_LOST = 1 << 3,			/* some were lost: anything may have changed */
	NOTICE_NEIGHBOURS = 1 << 4,		/* somebody answers, or does not; see notices_neighbours */
};

struct notices;

/*
 * notices_open - subscribe
 * @table: also watch this inet table for changes by others; NULL where it is owned (a listener on
 *         nftables makes large transactions several times slower)
 */
MUST_CHECK int notices_open(const char *table, struct notices **ret);
void notices_close(struct notices *notices);		/* accepts NULL */

/* From now on also what becomes of neighbours on these interfaces, and on no others. Those beyond
 * NOTICE_LINKS_MAX are seen by the audit only. The kernel does the choosing. */
MUST_CHECK int notices_neighbours(struct notices *notices, const uint32_t *links, size_t n);
enum { NOTICE_LINKS_MAX = 100 };

/* Two descriptors to poll for input; the second is -1 if no table is watched. */
void notices_fds(const struct notices *notices, int ret_fds[static 2]);

/* Read all that is there without blocking: a set of enum notice bits, 0 if nothing concerns us, or
 * -errno. Changes made through the socket with netlink port @own_port are not notices. */
MUST_CHECK int notices_read(struct notices *notices, unsigned own_port);
