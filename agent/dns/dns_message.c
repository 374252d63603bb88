/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See dns_message.h. The format is that of RFC 1035 section 4.1. */
#include "dns/dns_message.h"

#include "base/mem.h"
#include "dns/dns_name.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <limits.h>
#include <string.h>

struct reading {
	const uint8_t *octets;
	size_t len;
	enum dns_type type;
	struct dns_answer *answer;
	bool broken;
};

static unsigned two(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* Length of the encoded name at @at, or 0; *ret_name, if asked for, to be freed by c-ares. */
static size_t read_name(const uint8_t *octets, size_t message, const uint8_t *at, char **ret_name)
{
	char *name = NULL;
	long len = 0;

	if (message > INT_MAX || at >= octets + message ||
	    ares_expand_name(at, octets, (int)message, &name, &len) != ARES_SUCCESS)
		return 0;
	if (ret_name)
		*ret_name = name;
	else
		ares_free_string(name);
	return (size_t)len;
}

int dns_message_each(const uint8_t *octets, size_t len, enum dns_type type, dns_take *take,
		     void *context)
{
	const uint8_t *at = octets + HFIXEDSZ, *end = octets + len;
	unsigned n_questions, n_answers;

	if (len < HFIXEDSZ)
		return -EBADMSG;
	n_questions = two(octets + 4);
	n_answers = two(octets + 6);
	for (unsigned i = 0; i < n_questions + n_answers; i++) {
		bool is_question = i < n_questions;
		size_t fixed = is_question ? QFIXEDSZ : RRFIXEDSZ, size = 0;
		size_t name = read_name(octets, len, at, NULL);
		const uint8_t *record = at + name;

		if (name == 0 || (size_t)(end - at) < name + fixed)
			return -EBADMSG;
		if (!is_question)
			size = two(record + 8);
		at = record + fixed;
		if ((size_t)(end - at) < size)
			return -EBADMSG;
		if (!is_question && two(record) == type && two(record + 2) == C_IN)
			take(context, at, size);
		at += size;
	}
	return 0;
}

static void take_ip(struct reading *reading, const uint8_t *at, size_t len, size_t want)
{
	struct dns_record record = { .ip = { .len = (uint8_t)want } };

	if (len != want) {
		reading->broken = true;
		return;
	}
	memcpy(record.ip.octet, at, want);
	PUSH(&reading->answer->records, record);
}

/* A name that cannot be one is left out: nobody could ask for it. */
static void take_name(struct reading *reading, const uint8_t *at, uint16_t preference)
{
	struct dns_record record = { .preference = preference };
	char *name = NULL, folded[DNS_NAME];

	if (read_name(reading->octets, reading->len, at, &name) == 0) {
		reading->broken = true;
		return;
	}
	if (dns_name_fold(name, folded)) {
		record.len = strlen(folded);
		record.text = mem_text(folded, record.len);
		PUSH(&reading->answer->records, record);
	}
	ares_free_string(name);
}

/* RFC 7208 section 3.3: strings of one record are one text, without blanks between them. */
static void take_text(struct reading *reading, const uint8_t *at, size_t len)
{
	struct dns_record record = { .text = mem_zero(len + 1, 1) };

	for (size_t i = 0; i < len;) {
		size_t part = at[i++];

		if (part > len - i) {
			reading->broken = true;
			break;
		}
		memcpy(record.text + record.len, at + i, part);
		record.len += part;
		i += part;
	}
	PUSH(&reading->answer->records, record);
}

static void take(void *context, const uint8_t *at, size_t len)
{
	struct reading *reading = context;

	if (reading->answer->records.n == DNS_RECORDS_MAX)
		return;
	switch (reading->type) {
	case DNS_A:
		take_ip(reading, at, len, 4);
		break;
	case DNS_AAAA:
		take_ip(reading, at, len, 16);
		break;
	case DNS_PTR:
		take_name(reading, at, 0);
		break;
	case DNS_MX:
		if (len > 2)
			take_name(reading, at + 2, (uint16_t)two(at));
		else
			reading->broken = true;
		break;
	case DNS_TXT:
		take_text(reading, at, len);
		break;
	case DNS_TLSA:
		break;
	}
}

const char *dns_message_failure(unsigned rcode)
{
	switch (rcode) {
	case FORMERR:
		return "the resolver did not understand (FORMERR)";
	case SERVFAIL:
		return "the resolver could not find out (SERVFAIL)";
	case NOTIMP:
		return "the resolver cannot do this (NOTIMP)";
	case REFUSED:
		return "the resolver refused (REFUSED)";
	default:
		return "the resolver failed with a code of its own";
	}
}

void dns_answer_drop(struct dns_answer *answer)
{
	for (size_t i = 0; i < answer->records.n; i++)
		free(answer->records.at[i].text);
	free(answer->records.at);
	*answer = (struct dns_answer){ 0 };
}

static void fail(struct dns_answer *answer, const char *failure)
{
	dns_answer_drop(answer);
	answer->outcome = DNS_FAILED;
	answer->failure = failure;
}

void dns_message_read(const uint8_t *octets, size_t len, enum dns_type type, const char *failure,
		      struct dns_answer *ret)
{
	struct reading reading = { .octets = octets, .len = len, .type = type, .answer = ret };
	unsigned rcode;

	*ret = (struct dns_answer){ .outcome = DNS_NOTHING };
	if (!octets || len < HFIXEDSZ) {
		fail(ret, octets ? "a malformed answer" : failure);
		return;
	}
	rcode = octets[3] & 0x0f;
	if (rcode == NXDOMAIN)
		return;
	if (rcode != NOERROR)
		fail(ret, dns_message_failure(rcode));
	else if (dns_message_each(octets, len, type, take, &reading) < 0 || reading.broken)
		fail(ret, "a malformed answer");
	else if (ret->records.n > 0)
		ret->outcome = DNS_FOUND;
}
