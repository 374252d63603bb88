/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an answer to MX means: RFC 5321 section 5.1, RFC 7505. Pure. */
#pragma once

#include "relay/resolve.h"

struct mx { uint16_t preference; char host[256]; };	/* host in lower case, without trailing dot */

enum { MX_MAX = 64 };

/*
 * resolve_mx_order - which hosts to try, best first
 * @mx:  @n of them, at most MX_MAX; ordered in place
 * @how: domain, own_name and hash count
 *
 * Equal preferences come in an order that the hash decides. Returns how many are left, at most
 * RESOLVE_HOSTS_MAX; 0 with *@ret_refusal: 556 5.1.10 for a null MX, 554 5.4.6 if we are the best ourselves.
 */
size_t resolve_mx_order(struct mx *mx, size_t n, const struct resolve_how *how,
			struct reply *ret_refusal);

/* "192.0.2.1", "2001:db8::1", "[192.0.2.1]" or "[IPv6:2001:db8::1]": RFC 5321 section 4.1.3. */
bool resolve_literal(const char *text, struct ip *ret);
