/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PROXY front, version 2 of the protocol (haproxy's proxy-protocol.txt section 2.2): the header's destination is
 * called, from the binding that has its source address, or that an authority (TLV 0x02) or a TLV 0xE0 names.
 */
#pragma once

#include "relay/worker.h"

/* Takes @fd. */
void proxy_start(struct worker *worker, struct generation *generation, size_t front,
		 struct fd *fd);
