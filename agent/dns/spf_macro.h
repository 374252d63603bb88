/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside dns/ only: macros of SPF, RFC 7208 section 7. */
#pragma once

#include "dns/dns_name.h"
#include "dns/spf_term.h"

struct spf_values {				/* what letters stand for */
	const struct ip *ip;
	const char *sender;			/* domain of the sender */
	const char *domain;			/* that is being looked at */
	const char *helo;
	const char *name;			/* %{p}: the validated name, or "unknown" */
};

/* Is it a domain-spec: macros that are well formed, and a name at the end? Else -EINVAL. */
MUST_CHECK int spf_macro_check(const struct spf_text *text);
/* Any text with well-formed macros, as of exp and unknown modifiers. */
MUST_CHECK int spf_macro_check_text(const struct spf_text *text);

/* Does it ask for the validated name, which costs look-ups? */
bool spf_macro_needs_name(const struct spf_text *text);

/*
 * The name that a checked domain-spec stands for; one that is too long loses labels at its front
 * (section 7.3). It may be one that nobody can ask for.
 */
void spf_macro_expand(const struct spf_text *text, const struct spf_values *values,
		      char ret[static DNS_NAME]);
