/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside kernel/ only: routes, routing rules and neighbours of uplinks. Contracts in kernel.h. */
#pragma once

#include "kernel/channel.h"
#include "kernel/kernel.h"

MUST_CHECK int routes_read(struct channel *route, uint32_t table, struct routes *ret);
MUST_CHECK int routes_add(struct channel *channel, const struct route *route);
MUST_CHECK int routes_remove(struct channel *channel, const struct route *route);
MUST_CHECK int routes_add_rule(struct channel *route, const struct fwmark_rule *rule);
MUST_CHECK int routes_remove_rule(struct channel *route, const struct fwmark_rule *rule);
MUST_CHECK int routes_read_neighbour(struct channel *route, const struct ip *ip, uint32_t link,
				     bool ask, enum neighbour *ret);
