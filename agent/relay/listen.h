/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listening sockets, kept over reloads by their address, so that nobody who waits in a backlog is
 * lost. TCP: one a worker (SO_REUSEPORT: the kernel shares out); Unix, and what the service
 * manager hands over: one for all.
 */
#pragma once

#include "relay/generation.h"

struct listening {
	char *key;				/* the address */
	int *fds;				/* of each worker; the same, if shared */
	bool shared, used;
	struct front_counts *counts;		/* counted */
};

struct listen_set {
	struct { struct listening **at; size_t n, room; } sockets;
	struct { int *at; size_t n, room; } handed;	/* by the service manager, not taken yet */
	unsigned n_workers;
};

/*
 * listen_clear_path - make room for a Unix socket: one that nobody listens to any more is removed
 * Returns 0; -EADDRINUSE: somebody listens there; -EEXIST: that is no socket; or another negative
 * errno.
 */
MUST_CHECK int listen_clear_path(const char *path);
/* What the service manager handed over: sd_listen_fds(3). */
void listen_take_handed(struct listen_set *set);
/*
 * listen_open - sockets for all listeners of @generation, new ones and those that there are
 * Returns 0, or a negative errno with why in @ret_why; then nothing is changed.
 */
MUST_CHECK int listen_open(struct listen_set *set, struct generation *generation, char *ret_why,
			   size_t room);
/* Close those that @generation does not use; when no worker accepts from them any more. */
void listen_retire(struct listen_set *set, const struct generation *generation);
void listen_drop(struct listen_set *set);
