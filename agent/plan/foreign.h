/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other software's packet filter rules do to what outbind does: rewrite sources, read or write
 * marks, switch connection tracking off. Read by kernel/, judged by doctor.h.
 */
#pragma once

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum foreign_hook { FOREIGN_NO_HOOK, FOREIGN_INGRESS, FOREIGN_PREROUTING, FOREIGN_INPUT,
		    FOREIGN_FORWARD, FOREIGN_OUTPUT, FOREIGN_POSTROUTING, FOREIGN_EGRESS,
		    FOREIGN_HOOKS };

enum foreign_kind {
	FOREIGN_SNAT, FOREIGN_MASQUERADE,	/* a translation of sources by conntrack */
	FOREIGN_REWRITE,			/* of the source address in the packet, without conntrack */
	FOREIGN_MARK_SET, FOREIGN_MARK_READ,	/* of the packet mark */
	FOREIGN_CT_MARK_SET, FOREIGN_CT_MARK_READ,
	FOREIGN_NOTRACK,
	FOREIGN_KINDS
};

struct foreign_table {
	const char *family;			/* "ip", "ip6", "inet", "netdev", ... */
	const char *name;
	uint32_t port;				/* netlink port of who owns it, as a rule its pid; 0: nobody */
	bool legacy;				/* of x_tables (iptables-legacy), not of nf_tables */
};

struct foreign_chain {
	uint32_t table;				/* index */
	const char *name;
	enum foreign_hook hook;			/* FOREIGN_NO_HOOK: no base chain */
	int32_t priority;
};

struct foreign_jump { uint32_t from, to; };	/* chains, by index; jump and goto alike */

struct foreign_act {				/* one thing that one rule does */
	enum foreign_kind kind;
	uint32_t chain;				/* index */
	uint64_t rule;				/* nf_tables: handle; x_tables: number in the chain, from 1 */
	uint32_t bits;				/* of the mark: that are read, or that may change */
	bool narrow;				/* the rule asks who sends: an address, a mark, a user, ... */
	const char *text;			/* the rule as found, as far as it is understood */
};

struct foreign {
	struct arena arena;			/* all texts */
	struct { struct foreign_table *at; size_t n, room; } tables;
	struct { struct foreign_chain *at; size_t n, room; } chains;
	struct { struct foreign_jump *at; size_t n, room; } jumps;
	struct { struct foreign_act *at; size_t n, room; } acts;
	size_t rules;				/* that were looked at */
	bool cut;				/* there are more than FOREIGN_RULES_MAX */
	int error;				/* nf_tables could not be read: -errno; 0: it was */
	bool changed;				/* somebody changed them while they were read, each time */
	int error_legacy;			/* the same of x_tables */
};

/* Rules that are looked at: the kernel lists a chain in time quadratic in its rules. */
enum { FOREIGN_RULES_MAX = 16384 };

void foreign_drop(struct foreign *foreign);

/*
 * foreign_reach - by which base chains packets come to each chain
 * @ret: by chain and hook, index of the base chain of lowest priority, or UINT32_MAX; n * HOOKS
 *
 * Jumps by verdict maps are not known: who is reached by no hook at all may be reached so.
 */
void foreign_reach(const struct foreign *foreign, uint32_t (*ret)[FOREIGN_HOOKS]);

/* Whose rules these are by the usual names ("Docker"), or NULL. */
const char *foreign_likely(const char *table, const char *chain);

const char *foreign_hook_name(enum foreign_hook hook);
