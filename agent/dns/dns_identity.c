/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See dns_identity.h. "Bad" is what DNS says; what it does not say, because it fails or because its
 * word is not to be believed, is "unknown" and never the one or the other.
 */
#include "dns/dns_identity.h"

#include "base/ascii.h"
#include "dns/dns_generic.h"
#include "dns/spf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = 10, LISTED_TEXT = 80 };

struct judging {
	const struct identity_subject *subject;
	const struct dns_source *source;
	struct identity_result *result;
	char ip[IP_TEXT];
	bool pending;
};

/* The answer, or NULL and it is pending. */
static const struct dns_answer *ask(struct judging *judging, enum dns_type type, const char *name)
{
	const struct dns_answer *answer = dns_ask(judging->source, type, name);

	judging->pending |= !answer;
	return answer;
}

/* One more word about @check; the worst state counts. */
static void PRINTF(4, 5) say(struct judging *judging, enum identity_check check,
			     enum identity_state state, const char *format, ...)
{
	char *text = judging->result->text[check];
	size_t used = strlen(text);
	va_list list;

	if (state > judging->result->state[check])
		judging->result->state[check] = state;
	if (!*format)
		return;
	used += (size_t)snprintf(text + used, IDENTITY_TEXT - used, "%s", used ? "; " : "");
	if (used >= IDENTITY_TEXT)
		return;
	va_start(list, format);
	(void)vsnprintf(text + used, IDENTITY_TEXT - used, format, list);
	va_end(list);
}

#define GOOD(judging, check)	say(judging, check, IDENTITY_GOOD, "%s", "")

static const char *type_name(const struct ip *ip)
{
	return ip->len == 4 ? "A" : "AAAA";
}

/* Does @name of @check lead to the address? Says why not; NULL answers are pending. */
static bool leads_back(struct judging *judging, enum identity_check check, const char *what,
		       const char *name)
{
	const struct ip *ip = &judging->subject->ip;
	const struct dns_answer *answer = ask(judging, dns_type_of(ip), name);
	char other[IP_TEXT];

	if (!answer)
		return false;
	if (dns_answer_has(answer, ip))
		return true;
	if (answer->outcome == DNS_FAILED)
		say(judging, check, IDENTITY_UNKNOWN, "%s %.80s: %s", what, name, answer->failure);
	else if (answer->outcome == DNS_NOTHING)
		say(judging, check, IDENTITY_BAD, "%s %.80s has no %s record", what, name,
		    type_name(ip));
	else
		say(judging, check, IDENTITY_BAD, "%s %.80s is %s, not %s", what, name,
		    ip_print(&answer->records.at[0].ip, other), judging->ip);
	return false;
}

/* What was said while looking at names of which then one was right. */
static void unsay(struct judging *judging, enum identity_check check)
{
	judging->result->state[check] = IDENTITY_GOOD;
	judging->result->text[check][0] = '\0';
}

static void check_fcrdns(struct judging *judging)
{
	const struct dns_answer *names;
	char reverse[DNS_NAME];

	dns_name_of_ip(&judging->subject->ip, reverse);
	names = ask(judging, DNS_PTR, reverse);
	if (!names)
		return;
	if (names->outcome == DNS_FAILED)
		say(judging, IDENTITY_FCRDNS, IDENTITY_UNKNOWN, "PTR of %s: %s", judging->ip,
		    names->failure);
	else if (names->outcome == DNS_NOTHING)
		say(judging, IDENTITY_FCRDNS, IDENTITY_BAD, "%s has no PTR record", judging->ip);
	for (size_t i = 0; i < names->records.n && i < NAMES_MAX; i++) {
		const char *name = names->records.at[i].text;

		if (i == 0)
			(void)snprintf(judging->result->name, DNS_NAME, "%s", name);
		if (!leads_back(judging, IDENTITY_FCRDNS, "PTR", name))
			continue;
		unsay(judging, IDENTITY_FCRDNS);
		(void)snprintf(judging->result->name, DNS_NAME, "%s", name);
		break;
	}
}

static void check_ehlo(struct judging *judging)
{
	const char *ehlo = judging->subject->ehlo;

	if (ehlo && leads_back(judging, IDENTITY_EHLO, "ehlo", ehlo))
		GOOD(judging, IDENTITY_EHLO);
}

static void check_generic(struct judging *judging)
{
	const char *name = judging->result->name;
	char why[DNS_GENERIC];

	if (!*name)
		return;
	if (dns_generic(name, &judging->subject->ip, why))
		say(judging, IDENTITY_GENERIC, IDENTITY_BAD, "%.80s looks generic: %s", name, why);
	else
		GOOD(judging, IDENTITY_GENERIC);
}

static void check_spf(struct judging *judging)
{
	const struct identity_subject *subject = judging->subject;
	char why[SPF_WHY];

	for (size_t i = 0; i < subject->n_domains; i++) {
		struct spf_query query = { .ip = subject->ip, .domain = subject->domains[i],
					   .helo = subject->ehlo };
		enum spf_result result = spf_check(&query, judging->source, why);

		if (result == SPF_PENDING)
			judging->pending = true;
		else if (result == SPF_PASS)
			GOOD(judging, IDENTITY_SPF);
		else
			say(judging, IDENTITY_SPF,
			    result == SPF_TEMPERROR ? IDENTITY_UNKNOWN : IDENTITY_BAD,
			    "SPF of %.60s: %s (%s)", subject->domains[i], spf_result_name(result),
			    why);
	}
}

/* RFC 5782 section 5: what every list has, and what none has. */
static const struct dns_answer *ask_test(struct judging *judging, const char *zone, bool listed,
					 bool ipv6)
{
	struct ip ip = { .octet = { 127, 0, 0, listed ? 2 : 1 }, .len = 4 };
	char name[DNS_NAME];

	if (ipv6)
		ip = (struct ip){ .octet = { [10] = 0xff, [11] = 0xff, [12] = 127,
					     [15] = listed ? 2 : 1 }, .len = 16 };
	return ask(judging, DNS_A, dns_name_in_zone(&ip, zone, name) ? name : "");
}

enum zone_word { ZONE_WORKS, ZONE_SILENT, ZONE_NOT_ASKED };	/* SILENT: said, or pending */

/* Is the word of @zone about this family worth something? */
static enum zone_word judge_zone(struct judging *judging, const char *zone)
{
	bool ipv6 = judging->subject->ip.len == 16;
	const struct dns_answer *has = ask_test(judging, zone, true, ipv6);
	const struct dns_answer *has4 = ask_test(judging, zone, true, false);
	const struct dns_answer *has_not = ask_test(judging, zone, false, ipv6);

	if (!has || !has4 || !has_not)
		return ZONE_SILENT;
	if (has->outcome == DNS_FAILED || has_not->outcome == DNS_FAILED)
		say(judging, IDENTITY_BLOCKLIST, IDENTITY_UNKNOWN, "%.60s: %s", zone,
		    has->outcome == DNS_FAILED ? has->failure : has_not->failure);
	else if (has_not->outcome == DNS_FOUND)
		say(judging, IDENTITY_BLOCKLIST, IDENTITY_UNKNOWN,
		    "%.60s lists everything: its word does not count", zone);
	else if (has->outcome == DNS_FOUND)
		return ZONE_WORKS;
	else if (has4->outcome == DNS_FOUND)
		return ZONE_NOT_ASKED;		/* a list of IPv4 addresses only */
	else
		say(judging, IDENTITY_BLOCKLIST, IDENTITY_UNKNOWN,
		    "%.60s does not list its own test entry: it is no blocklist, or does not answer "
		    "us", zone);
	return ZONE_SILENT;
}

/* The list's own words, without what could trick a terminal. */
static const char *words_of(const struct dns_answer *answer, char out[static LISTED_TEXT])
{
	const struct dns_record *record = answer->records.n ? &answer->records.at[0] : NULL;
	size_t len = record ? record->len : 0;

	return ascii_show(record ? record->text : "",
			  len < LISTED_TEXT - 1 ? len : LISTED_TEXT - 1, out);
}

static void say_listed(struct judging *judging, const char *zone, const char *name,
		       const struct ip *code)
{
	const struct dns_answer *text = ask(judging, DNS_TXT, name);
	char ip[IP_TEXT], words[LISTED_TEXT];

	if (!text)
		return;
	words_of(text, words);
	say(judging, IDENTITY_BLOCKLIST, IDENTITY_BAD, "listed on %.60s (%s%s%s)", zone,
	    ip_print(code, ip), *words ? ": " : "", words);
}

/* RFC 5782 section 2.3: answers are in 127.0.0.0/8; 127.255.255.0/24 is what lists refuse with. */
static void check_listed(struct judging *judging, const char *zone)
{
	char name[DNS_NAME], ip[IP_TEXT];
	bool is_name = dns_name_in_zone(&judging->subject->ip, zone, name);
	const struct dns_answer *answer = ask(judging, DNS_A, is_name ? name : "");
	const uint8_t *code;

	if (!answer)
		return;
	if (answer->outcome == DNS_FAILED) {
		say(judging, IDENTITY_BLOCKLIST, IDENTITY_UNKNOWN, "%.60s: %s", zone,
		    answer->failure);
		return;
	}
	if (answer->outcome == DNS_NOTHING) {
		GOOD(judging, IDENTITY_BLOCKLIST);
		return;
	}
	code = answer->records.at[0].ip.octet;
	ip_print(&answer->records.at[0].ip, ip);
	if (code[0] != 127)
		say(judging, IDENTITY_BLOCKLIST, IDENTITY_UNKNOWN,
		    "%.60s answered %s, which is no answer of a blocklist", zone, ip);
	else if (code[1] == 255 && code[2] == 255)
		say(judging, IDENTITY_BLOCKLIST, IDENTITY_UNKNOWN, "%.60s refuses to answer (%s)",
		    zone, ip);
	else
		say_listed(judging, zone, name, &answer->records.at[0].ip);
}

bool dns_identity(const struct identity_subject *subject, const char *const *blocklists,
		  size_t n_blocklists, const struct dns_source *source,
		  struct identity_result *ret)
{
	struct judging judging = { .subject = subject, .source = source, .result = ret };

	memset(ret, 0, sizeof *ret);
	ip_print(&subject->ip, judging.ip);
	check_fcrdns(&judging);
	check_ehlo(&judging);
	check_generic(&judging);
	check_spf(&judging);
	for (size_t i = 0; i < n_blocklists; i++)
		if (judge_zone(&judging, blocklists[i]) == ZONE_WORKS)
			check_listed(&judging, blocklists[i]);
	return !judging.pending;
}
