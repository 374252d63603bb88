/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Socket addresses: written from what the configuration says, read from what the kernel says. */
#ifndef OUTBIND_BASE_SOCKADDR_H
#define OUTBIND_BASE_SOCKADDR_H

#include "base/types.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* The address of `ip` and `port`, the latter in host order. Returns its size, for connect(2) and bind(2). */
socklen_t sockaddr_of_ip(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret);

/* The address of the Unix socket at `path`. Returns its size; 0 if the path is longer than unix(7) allows. */
socklen_t sockaddr_of_path(const char *path, struct sockaddr_storage *ret);

/*
 * The IP address and port, in host order, that a socket address holds. An IPv4-mapped address (RFC 4291
 * section 2.5.5.2), as a listener of both families reports it, is read as the IPv4 address it stands for.
 * Returns false if it is of another family; nothing is written then.
 */
bool sockaddr_read_ip(const struct sockaddr_storage *address, struct ip *ret, uint16_t *ret_port);

#endif
