/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is behind a connection of a Unix socket, without reading /proc: by what its cgroup will be known.
 * Below that lies the process that connected, whatever becomes of its number.
 */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stdint.h>

struct visitor {
	uint64_t cgroup;			/* id of its cgroup when it connected; 0: not known */
	int pid;				/* ... then its number, while it has not exited; else 0 */
	struct fd pidfd;			/* ... which this tells */
};

#define VISITOR_NONE ((struct visitor){ .pidfd = FD_NONE })

/*
 * visitor_of_peer - of the process that connected @socket
 * @pid: its number, by SO_PEERCRED; for kernels without SO_PEERPIDFD (before 6.5), where one that
 *       exits before this call and whose number is used again is taken for its successor
 *
 * Owns a descriptor where the kernel does not tell the cgroup of a pidfd (before 6.13).
 * Returns 0, -ESRCH (it has exited, or cannot be seen from here) or another errno of pidfd_open(2).
 */
MUST_CHECK int visitor_of_peer(int socket, int pid, struct visitor *ret);
void visitor_drop(struct visitor *visitor);

/* False once it has exited: what was said of its number since may be of another process. */
bool visitor_is_there(const struct visitor *visitor);
