/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SPF as receivers judge it: check_host() of RFC 7208, strictly, with its limits of 10 terms that
 * ask DNS and 2 answers that have nothing. Pure: DNS comes from a struct dns_source, and while an
 * answer is missing the result is SPF_PENDING. Explanations (exp=) are checked, and not fetched.
 */
#pragma once

#include "dns/dns_source.h"

enum spf_result {
	SPF_PENDING,
	SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_TEMPERROR, SPF_PERMERROR
};

enum { SPF_WHY = 128 };

struct spf_query {
	struct ip ip;				/* who connects */
	const char *domain;			/* of the sender; its local part is "postmaster" */
	const char *helo;			/* for %{h}; NULL: the domain */
};

/* RFC 7208 section 4; @ret_why: "'-all' matches", "more than 10 terms that ask DNS"; "" while pending. */
enum spf_result spf_check(const struct spf_query *query, const struct dns_source *source,
			  char ret_why[static SPF_WHY]);

/* "none", "pass", ...: RFC 7208 section 2.6. */
const char *spf_result_name(enum spf_result result);
