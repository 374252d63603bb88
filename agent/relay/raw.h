/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fronts that speak no SMTP: SOCKS5 (RFC 1928), where the user name (RFC 1929) is a binding's
 * name, and the PROXY protocol of version 2, whose source address or authority names it. The
 * destination is called, and octets flow.
 */
#pragma once

#include "relay/worker.h"

struct raw;

/* Takes @fd. */
void raw_start(struct worker *worker, struct generation *generation, size_t front, struct fd *fd);
void raw_stop_all(struct worker *worker);	/* handshakes in hand end; what flows goes on */
