/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host has, as far as a plan depends on it: behind kernel.read_facts. */
#pragma once

#include "plan/plan.h"

/*
 * facts_read - ask the network namespace of the calling process
 * @ret: addresses, local, connected and fwmark_rules are replaced on success, and untouched on
 *       failure; cgroup ids and execs are cgroups.c's and stay as they are
 *
 * Returns 0, -EAGAIN (it kept changing while it was read: try again later) or another -errno.
 */
MUST_CHECK int facts_read(struct facts *ret);
