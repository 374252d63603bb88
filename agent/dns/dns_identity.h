/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What DNS says about one address that somebody sends from. Pure, as dns_source.h has it. */
#pragma once

#include "dns/dns_source.h"
#include "proto/identity.h"

struct identity_subject {
	const char *binding;
	struct ip ip;
	const char *ehlo;			/* the name in its EHLO commands; NULL: not known */
	const char *const *domains;		/* that it sends for */
	size_t n_domains;
};

enum { IDENTITY_TEXT = 256 };

struct identity_result {
	enum identity_state state[IDENTITY_CHECKS];
	char text[IDENTITY_CHECKS][IDENTITY_TEXT];	/* what is wrong, or not known; else "" */
	char name[DNS_NAME];			/* of the address; "" if it has none */
};

/*
 * dns_identity - all checks of one address
 * @blocklists: @n_blocklists zones, RFC 5782; one that lists what it must not, or does not list what
 *              it must, has no say
 *
 * False while answers are missing (all that are known to be needed were then asked for); @ret is
 * whole on true only.
 */
bool dns_identity(const struct identity_subject *subject, const char *const *blocklists,
		  size_t n_blocklists, const struct dns_source *source,
		  struct identity_result *ret);
