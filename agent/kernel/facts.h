/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host has, as far as a plan depends on it: behind kernel.read_facts. */
#pragma once

#include "plan/plan.h"

/*
 * facts_read - ask the network namespace of the calling process
 * @ret: what the kernel knows is replaced on success, and untouched on failure; what others set
 *       (cgroups.c, daemon/plumb.c, what is suspended) stays as it is
 *
 * Returns 0, -EAGAIN (it kept changing while it was read: try again later) or another -errno.
 */
MUST_CHECK int facts_read(struct facts *ret);
