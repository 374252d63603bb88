/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside dns/ only: the terms of an SPF record, RFC 7208 section 4.6 and 12. */
#pragma once

#include "base/types.h"

enum spf_kind {
	SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4, SPF_IP6, SPF_EXISTS,	/* mechanisms */
	SPF_REDIRECT, SPF_EXP, SPF_OTHER						/* modifiers */
};

struct spf_text { const char *at; size_t len; };	/* borrowed from the record */

struct spf_term {
	enum spf_kind kind;
	char qualifier;				/* of a mechanism: + - ? ~ */
	struct spf_text whole;
	struct spf_text spec;			/* macros not expanded; at NULL: none was given */
	uint8_t bits[FAMILIES];			/* of a and mx */
	struct prefix network;			/* of ip4 and ip6 */
};

/* The text after "v=spf1"; false if @record is of another kind: RFC 7208 section 4.5. */
bool spf_term_begin(const char *record, size_t len, struct spf_text *ret_rest);

/*
 * spf_term_next - the first term of @rest, and what is behind it
 * Returns 1, 0 at the end, or -EINVAL for what is no term (then ret->whole is what was found).
 */
MUST_CHECK int spf_term_next(struct spf_text *rest, struct spf_term *ret);
