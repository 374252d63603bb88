/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All checks of many addresses, at once and bounded: in questions that are open, in memory, in the
 * time for one question and for all of it. A resolver that does not answer, or whose answers cannot
 * be true, ends it early.
 */
#pragma once

#include "dns/dns_identity.h"
#include "dns/dns_resolver.h"

struct dns_run {
	struct dns_how how;
	double seconds;				/* for all of it */
	const char *const *blocklists;
	size_t n_blocklists;
	const struct identity_subject *subjects;
	size_t n_subjects;

	/* Each subject once, in any order; @result is gone when it returns. */
	void (*done)(void *context, size_t subject, const struct identity_result *result);
	/* Now and then, for who waits. May be NULL. */
	void (*progress)(void *context, size_t n_done);
	void *context;
};

struct dns_summary {
	char servers[DNS_SERVERS];		/* who was asked */
	char problem[256];			/* "": none; else nothing, or not all, was told */
	size_t questions;
	double took;				/* seconds */
};

/*
 * dns_run - run it; returns when all subjects are done
 * @ret_summary: always written
 *
 * What could not be told for a problem's sake is "unknown" in the results, with the problem's words.
 * Returns 0, or a negative errno if it could not begin.
 */
MUST_CHECK int dns_run(const struct dns_run *run, struct dns_summary *ret_summary);
