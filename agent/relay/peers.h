/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether clients of a Unix socket can be told apart by user and cgroup, in the sandbox that we are in. */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * peers_mapped - does a user namespace show the users of its host?
 * @map: text of /proc/self/uid_map, user_namespaces(7)
 *
 * PrivateUsers= of systemd.exec(5) maps root and one user; everybody else is "nobody" then.
 */
MUST_CHECK bool peers_mapped(const char *map);

/* Can user and cgroup of any process be seen? If not, @ret_why says which setting hides them. */
MUST_CHECK bool peers_visible(char *ret_why, size_t room);
