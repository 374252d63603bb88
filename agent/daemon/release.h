/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Closing what strangers passed. The last close of a descriptor can wait as long as its sender likes:
 * SO_LINGER with unsent bytes, a file system in user space that does not answer. So it is never done
 * in the event loop, and a socket's lingering is switched off first.
 */
#pragma once

#include "base/own.h"

#include <stdbool.h>

struct releaser;

enum { RELEASES_MAX = 512 };			/* at a time; each is a thread with a small stack */

struct releaser *releaser_new(void);

/* Forget it; releases that still wait go on by themselves and end with the process. */
void releaser_drop(struct releaser *releaser);

/*
 * releaser_close - close @n descriptors at @fds, soon and somewhere else
 * @drain: the first is a Unix socket: also close what waits in it to be received
 *
 * If there is no thread to be had, they are closed here: better late than kept.
 */
void releaser_close(struct releaser *releaser, const int *fds, size_t n, bool drain);

/* So many releases wait that no stranger should be let in until some have ended. */
bool releaser_is_full(struct releaser *releaser);
