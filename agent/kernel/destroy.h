/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets, by NETLINK_SOCK_DIAG: those of connections, aborted; and those that carry a mark. */
#pragma once

#include "kernel/flows.h"

enum socket_fate {
	SOCKET_NONE,				/* this host has none for it: forwarded, or closed */
	SOCKET_ENDED,				/* aborted by us, or gone meanwhile */
	SOCKET_LIVES,				/* could not be aborted */
};

/*
 * destroy_sockets - abort the TCP and connected UDP sockets of @flows
 * @ret_fates: by flow
 * @reterr:    the first -errno of one that lives on; untouched if none
 *
 * An unconnected UDP socket has other flows too, and stays: the policy is asked for each of its
 * datagrams. Returns 0, -EINTR, or -errno of the dump; then some may have been aborted.
 */
MUST_CHECK int destroy_sockets(const struct flows *flows, enum socket_fate *ret_fates,
			       int *reterr);

/* Call @visit with our bits of the SO_MARK of every socket that has some, maybe more than once. */
typedef void destroy_visit_mark(uint32_t mark, void *context);
MUST_CHECK int destroy_marks(struct fwmark mask, destroy_visit_mark *visit, void *context);

/* Is this an address of this host, so that what comes from it has a socket here? */
bool destroy_local(const struct ip *ip);
