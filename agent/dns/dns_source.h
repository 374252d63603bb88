/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where what judges gets its answers: it is run again whenever one more is there, so that it can be
 * written as if all of DNS were at hand, and tested with a table. What is not known yet is noted by
 * the source, and asked for.
 */
#pragma once

#include "dns/dns_message.h"
#include "dns/dns_name.h"

struct dns_source {
	/*
	 * The answer, which stays as it is while the source lives; NULL: not there yet. A name that
	 * cannot be asked for is one that does not exist.
	 */
	const struct dns_answer *(*ask)(void *context, enum dns_type type, const char *name);
	void *context;
};

static inline const struct dns_answer *dns_ask(const struct dns_source *source, enum dns_type type,
					       const char *name)
{
	return source->ask(source->context, type, name);
}

/* A or AAAA: where the addresses of the same family are. */
static inline enum dns_type dns_type_of(const struct ip *ip)
{
	return ip->len == 4 ? DNS_A : DNS_AAAA;
}

static inline bool dns_answer_has(const struct dns_answer *answer, const struct ip *ip)
{
	for (size_t i = 0; i < answer->records.n; i++)
		if (ip_equal(&answer->records.at[i].ip, ip))
			return true;
	return false;
}
