/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unix sockets that others connect to, and who the others are. */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct credentials { /* of the peer when it connected; never from a message */
	int pid;
	uid_t uid;
	gid_t gid;
	gid_t *groups;				/* supplementary */
	size_t n_groups;
};

/* SO_PEERCRED and SO_PEERGROUPS of a connected Unix socket. */
MUST_CHECK int peer_credentials(int fd, struct credentials *ret);
void credentials_drop(struct credentials *credentials);
bool peer_in_groups(const struct credentials *credentials, gid_t first, gid_t last);

/*
 * peer_listen - make and listen on @dir/@name, replacing a stale socket
 * @type: SOCK_STREAM or SOCK_SEQPACKET
 * @gid:  group of the socket, or (gid_t)-1
 * The mode is set before anybody can connect.
 */
MUST_CHECK int peer_listen(const char *dir, const char *name, int type, mode_t mode, gid_t gid,
			   struct fd *ret);

/* Numeric ids of a user or group by name: 0 or -ESRCH. */
MUST_CHECK int peer_user_id(const char *name, uid_t *ret);
MUST_CHECK int peer_group_id(const char *name, gid_t *ret);
