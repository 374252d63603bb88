/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What TLS mail to a domain needs by its own published policy (MTA-STS, RFC 8461), asked of a
 * resolver of such policies by socketmap, in the form of Postfix's smtp_tls_policy_maps: "secure
 * match=A:.B servername=hostname".
 */
#pragma once

#include "model/relay.h"

struct socketmap;
struct sts;
struct sts_query;

enum { STS_NAMES_MAX = 16 };

struct sts_policy {
	enum relay_tls level;			/* UNSAID: no policy */
	const char *names[STS_NAMES_MAX + 1];	/* NULL-ended; ".b" is every host of b */
	bool match_host;			/* the host's own name will do */
	bool needs_records;			/* DANE, and nothing where there are no TLSA records */
	bool failed;				/* the map could not say: try again later */
};

typedef void sts_done(void *context, const struct sts_policy *policy);

struct sts *sts_new(struct socketmap *map);	/* takes the map */
void sts_free(struct sts *sts);
struct sts_query *sts_ask(struct sts *sts, const char *domain, sts_done *done, void *context);
void sts_cancel(struct sts_query *query);

/*
 * sts_parse - the value of a look-up, cut up in place
 * @dotted: the domain that was asked for, with a dot in front; the policy borrows both. `nexthop` and
 * `dot-nexthop` are names of it. A `secure` without names has these, as in Postfix (postconf(5),
 * smtp_tls_secure_cert_match): the host's own name came by DNS, and is what MTA-STS does not trust.
 * False: not understood, so nothing may be sent.
 */
bool sts_parse(char *value, const char *dotted, struct sts_policy *ret);
