/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many clients there are now, in all and of each address: at every front of every worker, so that
 * limits hold whoever accepts. A lock for a moment at the beginning and at the end of a connection.
 */
#pragma once

#include "base/types.h"

struct clients;

struct clients *clients_new(void);
void clients_free(struct clients *clients);		/* accepts NULL */

/*
 * clients_enter - one more, unless that is too many
 * @ip:  len 0: a Unix socket, which counts in all only
 * @max: in all; @ip_max: of one address, 0: any number
 *
 * True: counted, until clients_leave() with the same @ip. False: a limit is reached, nothing was done.
 */
MUST_CHECK bool clients_enter(struct clients *clients, const struct ip *ip, unsigned max,
			      unsigned ip_max);
void clients_leave(struct clients *clients, const struct ip *ip);
