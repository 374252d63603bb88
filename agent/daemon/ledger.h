/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel was found to have counted, by binding, as far as it was read; and its text. Pure: no
 * socket, no clock, no thread.
 */
#pragma once

#include "daemon/sheet.h"
#include "kernel/meter.h"

enum ledger_kind { LEDGER_CONNECTIONS, LEDGER_SENT, LEDGER_RECEIVED, LEDGER_KINDS };

struct ledger_entry {				/* of a binding or group */
	struct sheet_row row;
	struct counted counted[LEDGER_KINDS][FAMILIES];
	uint32_t live[FAMILIES];		/* connections, of the last census */
};

struct ledger_refusal {
	struct fwmark mark;
	enum family family;
	enum meter_reason reason;
	uint64_t packets;
};

struct ledger {
	struct { struct ledger_entry *at; size_t n, room; } entries;	/* sorted by mark */
	char *names;				/* that row.name is an offset into */
	struct { struct ledger_refusal *at; size_t n, room; } refusals;
	struct counted totals[LEDGER_KINDS][FAMILIES];	/* of all bindings, since the agent started */
	uint64_t live[FAMILIES];
	struct kernel_counters counters;
	struct meter_conntrack conntrack;
	uint32_t local_ports;			/* that the kernel gives to sockets by itself */
	uint64_t age_usec;			/* of the oldest figure */
	uint64_t took_usec;			/* processor time of reading them all, last */
	uint64_t failures;			/* of reading */
};

void ledger_drop(struct ledger *ledger);

/* Who there is now: takes rows and names of @sheet. What was counted by the same numbers stays. */
void ledger_rows(struct ledger *ledger, struct sheet *sheet);

/* Live connections, as the sheet has them. */
void ledger_census(struct ledger *ledger, const struct sheet *sheet);

/* The entry of a number, or NULL. */
struct ledger_entry *ledger_find(const struct ledger *ledger, uint32_t mark);

/* A counter was read. One that has counted less than before was made anew, and counts from 0. */
void ledger_note(struct ledger *ledger, struct ledger_entry *entry, enum ledger_kind kind,
		 enum family family, struct counted counted);

/* The first entry whose number is above @mark; entries.n if there is none. */
size_t ledger_after(const struct ledger *ledger, uint32_t mark);

/*
 * ledger_busiest - the @n entries with the most connections since they were counted
 * @ret: room for @n; ordered by mark. Returns how many there are.
 */
size_t ledger_busiest(const struct ledger *ledger, size_t n, const struct ledger_entry **ret);

/* Everything as text, behind what is in it already. */
void ledger_write(const struct ledger *ledger, const struct sheet *sheet,
		  struct openmetrics *text);
