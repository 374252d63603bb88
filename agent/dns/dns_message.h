/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers of DNS, read from what came over the network. Every length is checked; names are
 * decompressed by c-ares. Whose records they are is not looked at: a resolver puts behind an alias
 * what it leads to, and one that lies can lie about that too.
 */
#pragma once

#include "base/types.h"

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52 };
enum { DNS_RECORDS_MAX = 128 };			/* of one answer; what is more is not looked at */

struct dns_record {
	struct ip ip;				/* A, AAAA */
	/* PTR, MX: the name, folded. TXT: its strings joined, which may hold any octet. A NUL follows. */
	char *text;
	size_t len;
	uint16_t preference;			/* MX */
};

enum dns_outcome {
	DNS_FOUND,				/* there are records */
	DNS_NOTHING,				/* the name, or this type of it, does not exist */
	DNS_FAILED,				/* it could not be told */
};

struct dns_answer {
	enum dns_outcome outcome;
	const char *failure;			/* static words for DNS_FAILED: "no answer in time" */
	struct { struct dns_record *at; size_t n, room; } records;
};

/*
 * dns_message_each - go over the records of an answer's first section
 * @type: only these; class IN
 * @take: gets RDATA of @len octets at @at, within the message
 *
 * Returns 0, or -EBADMSG if the message ends before it should; @take may have been called then.
 */
typedef void dns_take(void *context, const uint8_t *at, size_t len);
MUST_CHECK int dns_message_each(const uint8_t *octets, size_t len, enum dns_type type,
				dns_take *take, void *context);

/*
 * dns_message_read - what a message says about a name: its response code and records of @type
 * @octets: from its header on; NULL if no message came, and then @failure says why
 * @ret:    always written; the caller drops it
 */
void dns_message_read(const uint8_t *octets, size_t len, enum dns_type type, const char *failure,
		      struct dns_answer *ret);
void dns_answer_drop(struct dns_answer *answer);

/* What response code @rcode, which is neither success nor NXDOMAIN, says: static words. */
const char *dns_message_failure(unsigned rcode);
