/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mail addresses as they stand in an envelope: RFC 5321 section 4.1.2, RFC 6531 section 3.3. */
#pragma once

#include "smtp/line.h"

enum { PATH_MAX_BYTES = 256, LOCAL_MAX_BYTES = 64, DOMAIN_MAX_BYTES = 255 };

struct path {					/* offsets into the text that was parsed */
	struct text address;			/* without brackets and source route; empty for <> */
	struct text local, domain;		/* domain empty: <>, or <postmaster> */
	bool utf8;				/* has octets above 0x7f */
};

/*
 * path_parse - "<local@domain>", with the obsolete source route skipped, at the start of @text
 * @ret_rest: what follows the '>'
 * @null_ok:  "<>" is a path (MAIL), else refused (RCPT); "<postmaster>" only if it is not
 *
 * Quoted local parts and address literals are taken; local part, domain and path are bounded.
 * Returns 0 or -EINVAL.
 */
MUST_CHECK int path_parse(struct text text, bool null_ok, struct path *ret, struct text *ret_rest);

/* Lower case of @domain, a trailing dot taken away, into @out; false if it is too long. */
bool path_domain_fold(struct text domain, char out[static DOMAIN_MAX_BYTES + 1]);

/* A domain name or address literal as EHLO takes it: RFC 5321 section 4.1.2, lenient on '_'. */
bool path_is_host(struct text text);
