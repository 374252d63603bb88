/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One agent per table and network namespace, also where the kernel knows no table owner. */
#pragma once

#include "base/own.h"

#include <stdint.h>

#define LOCK_USER "outbindd"			/* whom the service runs as */

/*
 * lock_take - be the agent of @table in this network namespace
 * @ret: listening socket that holds the lock while it is open; empty if a stranger holds the name
 * @reterr_pid, @reterr_uid: who holds it, with -EBUSY and with 0 and an empty @ret
 *
 * Returns 0, -EBUSY (one of those who run agents holds it: root, LOCK_USER, our own user) or the errno
 * of socket(2), bind(2), listen(2).
 */
MUST_CHECK int lock_take(const char *table, struct fd *ret, int *reterr_pid, uint32_t *reterr_uid);

/* Somebody looked who we are: accept and forget, so that the backlog never fills. */
void lock_answer(int fd);
