/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A message with a descriptor on a Unix socket: SCM_RIGHTS of unix(7). */
#pragma once

#include "base/own.h"

/*
 * pass_fd_send - send @n octets at @bytes, and @fd with them unless it is negative
 * @flags: of sendmsg(2), such as MSG_DONTWAIT; no signal is raised in any case
 *
 * What is behind @fd is the receiver's too from then on; @fd stays the caller's. 0 or -errno.
 */
MUST_CHECK int pass_fd_send(int socket, const void *bytes, size_t n, int fd, int flags);
