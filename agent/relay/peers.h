/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients of a Unix socket, told apart by user and cgroup; and whether the sandbox that we are in lets us. */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer {					/* zeroed: not known */
	bool known;
	uint32_t uid;
	char *cgroup;				/* owned; NULL: none, or hidden */
};

/* Who called connect(2), by the credentials of @fd; *@ret is zeroed if those cannot be had. */
void peer_take(int fd, struct peer *ret);
void peer_drop(struct peer *peer);

/*
 * peers_mapped - does a user namespace show the users of its host?
 * @map: text of /proc/self/uid_map, user_namespaces(7)
 *
 * PrivateUsers= of systemd.exec(5) maps root and one user; everybody else is "nobody" then.
 */
MUST_CHECK bool peers_mapped(const char *map);

/* Can user and cgroup of any process be seen? If not, @ret_why says which setting hides them. */
MUST_CHECK bool peers_visible(char *ret_why, size_t room);
