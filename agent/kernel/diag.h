/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The protocol of sock_diag(7): what looking for sockets and aborting them have in common. */
#pragma once

#include "kernel/channel.h"
#include "kernel/connections.h"

#include <linux/inet_diag.h>

/* A request (SOCK_DIAG_BY_FAMILY, SOCK_DESTROY; NLM_F_* beside REQUEST); attributes follow. */
struct nlmsghdr *diag_request(char buffer[static CHANNEL_REQUEST_ROOM], uint16_t type,
			      uint16_t flags, const struct inet_diag_req_v2 *request);

/* An address of an answer; an IPv4-mapped one is IPv4 (a socket for both families). */
struct ip diag_ip(const uint32_t words[static 4], uint8_t family);

/*
 * diag_owner - the socket that a TCP or UDP connection belongs to; see find_owner() of kernel.h
 * @diag: to NETLINK_SOCK_DIAG. One look-up by its tuple, no dump: some microseconds.
 * Returns 0 or -errno. The kernel also takes an unconnected socket or one of another device for the
 * one that was meant; what has other addresses than asked for is not taken.
 */
MUST_CHECK int diag_owner(struct channel *diag, const struct connection *connection,
			  bool *ret_found, struct socket_owner *ret);

/* See count_sockets() of kernel.h. */
MUST_CHECK int diag_count(const struct ip *from, const struct ip *to, uint16_t port,
			  uint32_t *ret);
