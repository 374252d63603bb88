/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS as a table of a test: one record a line, "name TYPE text", and as a source for what judges.
 * TYPE FAIL: every question about the name fails. A name that is not there does not exist.
 */
#pragma once

#include "dns/dns_source.h"

struct dns_table {
	const char *text;
	/* as on a network: a question is answered when it comes again */
	bool patient;
	unsigned asked;
	struct { struct dns_table_answer *at; size_t n, room; } answers;
};

/* For struct dns_source; @context is the table. */
const struct dns_answer *dns_table_ask(void *context, enum dns_type type, const char *name);
void dns_table_drop(struct dns_table *table);
