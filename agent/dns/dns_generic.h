/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that receivers take for those of dynamic or unattended addresses. */
#pragma once

#include "base/types.h"

enum { DNS_GENERIC = 64 };

/*
 * dns_generic - does @name look as if a provider's program had made it for @ip
 * @ret: why: "it has the address in it", "it has the word 'dsl' in it"; written if so
 *
 * The address: its octets one after the other, either way round, in decimal or hexadecimal, with
 * anything or nothing between; of IPv6 at least 16 hexadecimal digits, or four groups, in order.
 * The word: dynamic, dsl, pool, ... as a part of its own, before the last two labels, which are
 * somebody's domain. Receivers each have patterns of their own, which are not published; these are
 * what they have in common.
 */
bool dns_generic(const char *name, const struct ip *ip, char ret[static DNS_GENERIC]);
