/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes from DNS: the first octet says whether the rest is a message as it came over the network,
 * an SPF record, or a name that belongs to an address.
 */
#include "dns/dns_generic.h"
#include "dns/dns_message.h"
#include "dns/spf.h"

#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void message(const uint8_t *octets, size_t n)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_PTR, DNS_MX, DNS_TXT };
	struct dns_answer answer;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		dns_message_read(octets, n, types[i], "none", &answer);
		check((answer.outcome == DNS_FOUND) == (answer.records.n > 0));
		check((answer.outcome == DNS_FAILED) == (answer.failure != NULL));
		for (size_t k = 0; k < answer.records.n; k++)
			check(!answer.records.at[k].text ||
			      answer.records.at[k].text[answer.records.at[k].len] == '\0');
		dns_answer_drop(&answer);
	}
}

struct world {
	struct dns_answer record, address, nothing;
	unsigned asked;
};

/* Everybody has the record under test; names in "x." have an address, others have nothing. */
static const struct dns_answer *answer(void *context, enum dns_type type, const char *name)
{
	struct world *world = context;

	check(strlen(name) < DNS_NAME);
	world->asked++;
	if (type == DNS_TXT)
		return &world->record;
	return type == DNS_A && name[0] == 'x' ? &world->address : &world->nothing;
}

static void spf(const uint8_t *octets, size_t n)
{
	char *text = malloc(n + 8);		/* so that a look beyond its end is seen */
	struct dns_record record = { .text = text, .len = n + 7 };
	struct dns_record address = { .ip = { .octet = { 192, 0, 2, 11 }, .len = 4 } };
	struct world world = { .record = { .records = { &record, 1, 1 } },
			       .address = { .records = { &address, 1, 1 } },
			       .nothing = { .outcome = DNS_NOTHING } };
	struct dns_source source = { answer, &world };
	struct spf_query query = { .ip = address.ip, .domain = "acme.example" };
	char why[SPF_WHY];

	memcpy(text, "v=spf1 ", 7);
	if (n > 0)
		memcpy(text + 7, octets, n);
	text[n + 7] = '\0';
	check(spf_check(&query, &source, why) != SPF_PENDING);
	check(strlen(why) < SPF_WHY && world.asked < 300);
	free(text);
}

static void name(const uint8_t *octets, size_t n)
{
	struct ip ip = { .octet = { 192, 0, 2, 11 }, .len = n % 2 ? 4 : 16 };
	char *text = malloc(n + 1), why[DNS_GENERIC];

	memcpy(text, octets, n);
	text[n] = '\0';
	(void)dns_generic(text, &ip, why);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	if (n < 1)
		return 0;
	switch (octets[0] % 3) {
	case 0:
		message(octets + 1, n - 1);
		break;
	case 1:
		spf(octets + 1, n - 1);
		break;
	default:
		name(octets + 1, n - 1);
	}
	return 0;
}
