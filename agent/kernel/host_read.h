/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See plan/host.h: the kernel's settings, others' rules, the clock. */
#pragma once

#include "plan/host.h"

/*
 * host_read - look at the network namespace of the calling process
 * @table: ours, which is left out of others' rules
 * @ret:   always written, but for features and files, which are the caller's; host_drop()
 *
 * Reads some small files, the rules of other tables (foreign.h) and two counters of each processor.
 * What cannot be read is marked so.
 */
void host_read(const char *table, struct host *ret);

/* Also for who is not let ask by its sandbox, and so gets HOST_CLOCK_UNKNOWN. */
enum host_clock host_read_clock(void);

/* Append a file's rights to host->files. */
void host_read_file(struct host *host, enum host_file_kind kind, const char *path);
