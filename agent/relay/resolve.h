/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names to addresses on an event loop: MX, implicit and null MX, CNAMEs, addresses of both
 * families, TLSA; RFC 5321 section 5.1, RFC 7505, RFC 7672. c-ares asks, unmarked, by default the
 * resolvers of resolv.conf. Each loop has one; nothing is shared between threads.
 */
#pragma once

#include "base/types.h"
#include "model/relay.h"
#include "smtp/reply.h"

struct ev_loop;
struct dns_resolver;
struct resolve_query;

enum { RESOLVE_HOSTS_MAX = 16, RESOLVE_ADDRESSES_MAX = 32 };

struct resolved_address {
	struct ip ip;
	const char *host;			/* the MX or smarthost it belongs to, without trailing dot */
	bool secure;				/* its name came with the AD bit: DANE may be asked for it */
};

/* in the order to be tried; owned by the query until its callback returns */
struct resolved {
	struct resolved_address at[RESOLVE_ADDRESSES_MAX];
	size_t n;
	bool secure;				/* the MX answer had the AD bit */
	/* code 0: none. 451 4.4.3, 550 5.1.2, 556 5.1.10, 451 4.4.4, 554 5.4.6 */
	struct reply refusal;
};

struct resolve_how {
	const char *domain;			/* of the recipient, or of the smarthost */
	/* look for MX; else @domain is the host itself. An address literal is itself */
	bool mx;
	/* families the binding can carry now; none of them: 451 4.4.4 */
	bool want[FAMILIES];
	bool prefer_ipv6;
	/* MX of this name, and all of no better preference, are dropped (loops) */
	const char *own_name;
	uint32_t hash;				/* shuffles equal preferences, the same way for the same hash */
};

typedef void resolve_done(void *context, const struct resolved *resolved);
struct tlsa { uint8_t usage, selector, matching; const uint8_t *octets; size_t len; };
/* @n 0 and !bogus: none, or not secure; bogus: it could not be told, so do not deliver */
typedef void resolve_tlsa_done(void *context, const struct tlsa *at, size_t n, bool bogus);

/* 0 or a negative errno. dns_resolver_free() ends open queries now: 451 4.4.3. */
MUST_CHECK int resolve_open(struct ev_loop *loop, const struct relay *relay,
			    struct dns_resolver **ret);

/* @done is called once, never from within the call, unless the query is cancelled. */
struct resolve_query *resolve_start(struct dns_resolver *resolver, const struct resolve_how *how,
				    resolve_done *done, void *context);
struct resolve_query *resolve_tlsa(struct dns_resolver *resolver, const char *host, uint16_t port,
				   resolve_tlsa_done *done, void *context);
void resolve_cancel(struct resolve_query *query);
