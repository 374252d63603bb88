/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread that reads the kernel's counters and writes all figures as text, so that neither holds up
 * the event loop. It owns sockets of its own, what it has read, and one sheet at a time.
 */
#pragma once

#include "daemon/sheet.h"

struct collector;

/* Start it for the table called @table. 0 or -errno. */
MUST_CHECK int collector_open(const char *table, struct collector **ret);
/* Ends the thread, which may take as long as one dump; accepts NULL. */
void collector_close(struct collector *collector);

/* Readable when a text is ready. */
int collector_fd(const struct collector *collector);

/* Have the figures written. @sheet: taken. One request at a time. */
void collector_ask(struct collector *collector, struct sheet *sheet);

/* The text that is ready, as a sealed memfd; FD_NONE if it could not be written or none is. */
struct fd collector_take(struct collector *collector);
