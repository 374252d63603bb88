/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The access log: lines are handed to a thread that writes them, so that a slow disk holds nobody
 * up. At most ACCESS_LOG_MAX octets wait; what finds no room is dropped and counted. A file is
 * opened again by access_log_reopen().
 */
#pragma once

#include "base/own.h"

#include <stdbool.h>

struct access_log;
enum { ACCESS_LOG_MAX = 4 * 1024 * 1024 };

/* @path NULL: standard error. -errno if it cannot be opened. */
MUST_CHECK int access_log_new(const char *path, struct access_log **ret);
MUST_CHECK int access_log_reopen(struct access_log *log, const char *path);
void access_log_free(struct access_log *log);	/* after writing what waits */
/* False: dropped. @line with its newline. */
MUST_CHECK bool access_log_put(struct access_log *log, const char *line, size_t len);
