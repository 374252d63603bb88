/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One tag request to one reply (proto/tag.h), without the sockets of tagger.c: who may, which
 * socket, which mark. */
#pragma once

#include "daemon/agent.h"
#include "daemon/peer.h"
#include "daemon/rate.h"
#include "kernel/visitor.h"
#include "proto/tag_request.h"

struct tag_peer {
	struct credentials credentials;
	struct visitor visitor;			/* by this its cgroup is found, when somebody asks */
	char *cgroup;				/* path below the root where it was found, or NULL */
	bool trusted;				/* root, or the relay: any binding */
	struct rates *searches;			/* for its cgroup, by user; borrowed */
};

/*
 * tag_answer - answer a request that came with @n_fds descriptors, the first @fd
 * Marks the socket if all is well. @reply gets one line, NUL-terminated. Returns its length.
 */
size_t tag_answer(struct agent *agent, struct tag_peer *peer,
		  const struct tag_request *request, const struct fd *fd, size_t n_fds,
		  char reply[static TAG_REPLY_MAX]);
