/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel counts by binding, read for rows of a ranking (rank.h). */
#pragma once

#include "daemon/agent.h"
#include "daemon/rank.h"

/*
 * metering_read - counters of bindings, into row->counted and ->known
 * @rows: all, by binding; groups get only what was refused before a member was chosen
 *
 * Connections and bytes of the RANK_SHOWN_MAX rows with the most connections, refusals of all: some
 * thousand look-ups, and a dump of those that were refused at all. What cannot be read is not known.
 */
void metering_read(struct agent *agent, struct rank_rows *rows);
