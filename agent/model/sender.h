/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What DNS should say about who sends: of one binding, and for all of them (the dns stanza). Part of
 * the model, in its arena; names are folded.
 */
#pragma once

#include "base/diag.h"
#include "model/relay.h"

enum { SENDER_DOMAINS_MAX = 64, BLOCKLISTS_MAX = 32 };
enum { DNS_KEEP = 3 * 86400 };			/* seconds, if nothing is said */

struct sender_names { const char *const *at; uint32_t n; };

enum require { REQUIRE_NOTHING, REQUIRE_WARN, REQUIRE_REJECT };

struct sender {					/* of a binding */
	struct sender_names domains;		/* that it sends for; none: those of the dns stanza */
	enum require fcrdns;
	struct where where_fcrdns;
};

struct dns_settings {				/* the dns stanza; zeroed: there is none */
	bool given;
	struct relay_endpoint resolver;		/* ip.len 0: as resolv.conf says */
	struct sender_names domains, blocklists;
	uint32_t keep_s;			/* how long an address that agreed counts; 0: DNS_KEEP */
	struct where where;
};
