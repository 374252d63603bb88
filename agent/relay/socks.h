/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SOCKS5 front (RFC 1928): the user name (RFC 1929) is the name of a binding; CONNECT, then octets. */
#pragma once

#include "relay/worker.h"

/* Takes @fd. */
void socks_start(struct worker *worker, struct generation *generation, size_t front,
		 struct fd *fd);
