/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a thread needs to write the figures: everything that belongs to the agent, copied, so that the
 * agent may change its generation meanwhile. Made in one go: some microseconds, and the rows, which are
 * left out as long as nothing has changed.
 */
#pragma once

#include "base/openmetrics.h"
#include "daemon/agent.h"
#include "daemon/census.h"

struct sheet_row {				/* of a binding or group */
	uint32_t mark, name;			/* name: offset into sheet->names */
	bool group, limited, suspended;
	bool family[FAMILIES];			/* it has something of it */
	bool usable[FAMILIES];
	uint8_t reason[FAMILIES];		/* enum usable_reason */
};

enum { SHEET_ENDS = 10 };

struct sheet_ends {				/* what one binding has of the ports to one destination */
	uint32_t mark, n;
	struct ip source, to;			/* @source: as it is seen outside */
	uint16_t port;				/* of @to */
	uint8_t protocol;
};

struct sheet {
	struct metrics_settings settings;
	struct openmetrics text;		/* the agent's own figures, and the format of all */
	bool has_rows;				/* else they are as in the sheet before */
	struct { struct sheet_row *at; size_t n, room; } rows;
	struct { char *at; size_t n, room; } names;	/* NUL-terminated, one behind the other */

	/* Of the last census. */
	struct { struct census_live *at; size_t n, room; } live;
	struct sheet_ends ends[SHEET_ENDS];	/* the busiest, busiest first */
	size_t n_ends;
	uint64_t census_age;			/* usec; UINT64_MAX: there was none yet */
};

struct sheet *sheet_new(const struct agent *agent, enum openmetrics_format format, bool rows);
void sheet_free(struct sheet *sheet);		/* accepts NULL */

/* "no-address", "link", ...: a word for a label; "usable" if there is no reason. */
const char *sheet_reason(uint8_t reason);
