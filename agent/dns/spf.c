/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See spf.h. It runs from its beginning each time that an answer is there, which keeps the
 * order of evaluation that the RFC gives (limits depend on it) out of anybody's state. The names of
 * the addresses that one term leads to are asked for at once; everything else is one by one.
 */
#include "dns/spf.h"

#include "base/ascii.h"
#include "dns/spf_macro.h"
#include "dns/spf_term.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LOOKUPS_MAX = 10, VOIDS_MAX = 2, MX_MAX = 10, PTR_MAX = 10 };	/* section 4.6.4 */

enum match { NO_MATCH, MATCH, ENDS };		/* ENDS: spf.ended is the result */

struct spf {
	const struct spf_query *query;
	const struct dns_source *source;
	unsigned lookups, voids;
	enum spf_result ended;
	char *why;
};

static const char *const result_names[] = {
	[SPF_PENDING] = "pending", [SPF_NONE] = "none", [SPF_NEUTRAL] = "neutral",
	[SPF_PASS] = "pass", [SPF_FAIL] = "fail", [SPF_SOFTFAIL] = "softfail",
	[SPF_TEMPERROR] = "temperror", [SPF_PERMERROR] = "permerror",
};

const char *spf_result_name(enum spf_result result)
{
	return result_names[result];
}

static enum match PRINTF(3, 4) end(struct spf *spf, enum spf_result result, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)vsnprintf(spf->why, SPF_WHY, format, list);
	va_end(list);
	spf->ended = result;
	return ENDS;
}

static const char *shown(const struct spf_text *text, char out[static 64])
{
	size_t n = text->len < 60 ? text->len : 60;

	ascii_show(text->at, n, out);
	strcpy(out + n, text->len > n ? "..." : "");
	return out;
}

/*
 * An answer that counts towards the limit if it has nothing. NULL: spf->ended says why, pending or
 * an error; @pending_only: a failure is the caller's to look at.
 */
static const struct dns_answer *ask(struct spf *spf, enum dns_type type, const char *name,
				    bool pending_only)
{
	const struct dns_answer *answer = dns_ask(spf->source, type, name);

	if (!answer) {
		(void)end(spf, SPF_PENDING, "%s", "");
		return NULL;
	}
	if (answer->outcome == DNS_FAILED && !pending_only) {
		(void)end(spf, SPF_TEMPERROR, "%.60s: %s", name, answer->failure);
		return NULL;
	}
	if (answer->outcome == DNS_NOTHING && ++spf->voids > VOIDS_MAX) {
		(void)end(spf, SPF_PERMERROR, "more than %d names that do not exist", VOIDS_MAX);
		return NULL;
	}
	return answer;
}

static bool within(const struct spf *spf, const struct ip *ip, const struct spf_term *term)
{
	struct prefix prefix = { *ip, term->bits[ip_family(ip)] };

	ip_clear_host_bits(&prefix.ip, prefix.bits);
	return prefix_contains(&prefix, &spf->query->ip);
}

static bool any_within(const struct spf *spf, const struct dns_answer *answer,
		       const struct spf_term *term)
{
	for (size_t i = 0; i < answer->records.n; i++)
		if (within(spf, &answer->records.at[i].ip, term))
			return true;
	return false;
}

/* sections 5.3 and 5.7 */
static enum match match_a(struct spf *spf, const struct spf_term *term, const char *name)
{
	enum dns_type type = term->kind == SPF_EXISTS ? DNS_A : dns_type_of(&spf->query->ip);
	const struct dns_answer *answer = ask(spf, type, name, false);

	if (!answer)
		return ENDS;
	if (term->kind == SPF_EXISTS)
		return answer->outcome == DNS_FOUND ? MATCH : NO_MATCH;
	return any_within(spf, answer, term) ? MATCH : NO_MATCH;
}

/* All at once; false while one of them is missing. */
static bool ask_addresses(struct spf *spf, const struct dns_answer *names, size_t n)
{
	bool there = true;

	for (size_t i = 0; i < n; i++)
		there &= dns_ask(spf->source, dns_type_of(&spf->query->ip),
				 names->records.at[i].text) != NULL;
	if (!there)
		(void)end(spf, SPF_PENDING, "%s", "");
	return there;
}

/* section 5.4 */
static enum match match_mx(struct spf *spf, const struct spf_term *term, const char *name)
{
	const struct dns_answer *hosts = ask(spf, DNS_MX, name, false), *answer;

	if (!hosts)
		return ENDS;
	if (hosts->records.n > MX_MAX)
		return end(spf, SPF_PERMERROR, "%.60s has more than %d MX", name, MX_MAX);
	if (!ask_addresses(spf, hosts, hosts->records.n))
		return ENDS;
	for (size_t i = 0; i < hosts->records.n; i++) {
		answer = ask(spf, dns_type_of(&spf->query->ip), hosts->records.at[i].text, false);
		if (!answer)
			return ENDS;
		if (any_within(spf, answer, term))
			return MATCH;
	}
	return NO_MATCH;
}

/*
 * Into @ret_name the name of the address that leads back to it, section 5.5: the one that is @wanted
 * or below it; unless @strictly, else any. Failures are no match. ENDS while pending.
 */
static enum match find_name(struct spf *spf, const char *wanted, bool strictly,
			    char ret_name[static DNS_NAME])
{
	const struct dns_answer *names, *answer;
	enum match match = NO_MATCH;
	char reverse[DNS_NAME];
	size_t n;

	dns_name_of_ip(&spf->query->ip, reverse);
	names = ask(spf, DNS_PTR, reverse, true);
	if (!names)
		return ENDS;
	n = names->records.n < PTR_MAX ? names->records.n : PTR_MAX;
	if (!ask_addresses(spf, names, n))
		return ENDS;
	for (size_t i = 0; i < n; i++) {
		const char *name = names->records.at[i].text;
		bool is_wanted = dns_name_under(name, wanted);

		answer = dns_ask(spf->source, dns_type_of(&spf->query->ip), name);
		if (!answer || !dns_answer_has(answer, &spf->query->ip) ||
		    (!is_wanted && (strictly || match == MATCH)))
			continue;
		(void)snprintf(ret_name, DNS_NAME, "%s", name);
		match = MATCH;
		if (is_wanted)
			break;
	}
	return match;
}

/* The name that the term is about, or ENDS. */
static enum match expand(struct spf *spf, const struct spf_term *term, const char *domain,
			 char ret[static DNS_NAME])
{
	char name[DNS_NAME] = "unknown";
	struct spf_values values = { .ip = &spf->query->ip, .sender = spf->query->domain,
				     .domain = domain, .name = name,
				     .helo = spf->query->helo ? spf->query->helo
							      : spf->query->domain };

	if (!term->spec.at) {
		(void)snprintf(ret, DNS_NAME, "%s", domain);
		return MATCH;
	}
	if (spf_macro_needs_name(&term->spec) && find_name(spf, domain, false, name) == ENDS)
		return ENDS;
	spf_macro_expand(&term->spec, &values, ret);
	return MATCH;
}

static enum spf_result check_host(struct spf *spf, const char *domain);

/* section 5.2 */
static enum match match_include(struct spf *spf, const char *name)
{
	switch (check_host(spf, name)) {
	case SPF_PASS:
		return MATCH;
	case SPF_FAIL:
	case SPF_SOFTFAIL:
	case SPF_NEUTRAL:
		return NO_MATCH;
	case SPF_NONE:
		return end(spf, SPF_PERMERROR, "%.60s, which is included, has no SPF", name);
	case SPF_PENDING:
	case SPF_TEMPERROR:
	case SPF_PERMERROR:
		break;
	}
	return ENDS;				/* as it was said in there */
}

static enum match count_lookup(struct spf *spf)
{
	if (++spf->lookups > LOOKUPS_MAX)
		return end(spf, SPF_PERMERROR, "more than %d terms that ask DNS", LOOKUPS_MAX);
	return MATCH;
}

static enum match match_term(struct spf *spf, const struct spf_term *term, const char *domain)
{
	char name[DNS_NAME], found[DNS_NAME];

	if (term->kind == SPF_ALL)
		return MATCH;
	if (term->kind == SPF_IP4 || term->kind == SPF_IP6)
		return prefix_contains(&term->network, &spf->query->ip) ? MATCH : NO_MATCH;
	if (count_lookup(spf) == ENDS || expand(spf, term, domain, name) == ENDS)
		return ENDS;
	switch (term->kind) {
	case SPF_INCLUDE:
		return match_include(spf, name);
	case SPF_MX:
		return match_mx(spf, term, name);
	case SPF_PTR:
		return find_name(spf, name, true, found);
	case SPF_A:
	case SPF_EXISTS:
		return match_a(spf, term, name);
	case SPF_ALL:
	case SPF_IP4:
	case SPF_IP6:
	case SPF_REDIRECT:
	case SPF_EXP:
	case SPF_OTHER:
		break;
	}
	return NO_MATCH;
}

/* section 4.6: all of the record is read before any of it is evaluated. */
static enum match check_syntax(struct spf *spf, struct spf_text rest, struct spf_term *ret_redirect)
{
	unsigned n_redirect = 0, n_exp = 0;
	struct spf_term term;
	char text[64];
	int r;

	ret_redirect->spec.at = NULL;
	while ((r = spf_term_next(&rest, &term)) > 0) {
		n_exp += term.kind == SPF_EXP;
		if (term.kind != SPF_REDIRECT)
			continue;
		n_redirect++;
		*ret_redirect = term;
	}
	if (r < 0)
		return end(spf, SPF_PERMERROR, "'%s' is wrong", shown(&term.whole, text));
	if (n_redirect > 1 || n_exp > 1)
		return end(spf, SPF_PERMERROR, "%s is given twice",
			   n_exp > 1 ? "'exp'" : "'redirect'");
	return MATCH;
}

/* The one record, section 4.5; false: spf->ended says why not. */
static bool find_record(struct spf *spf, const char *domain, struct spf_text *ret)
{
	const struct dns_answer *answer = dns_ask(spf->source, DNS_TXT, domain);
	unsigned n = 0;

	if (!answer) {
		(void)end(spf, SPF_PENDING, "%s", "");
		return false;
	}
	if (answer->outcome == DNS_FAILED) {
		(void)end(spf, SPF_TEMPERROR, "%.60s: %s", domain, answer->failure);
		return false;
	}
	for (size_t i = 0; i < answer->records.n; i++) {
		const struct dns_record *record = &answer->records.at[i];
		struct spf_text rest;

		if (!spf_term_begin(record->text, record->len, &rest))
			continue;
		*ret = rest;
		n++;
	}
	if (n == 1)
		return true;
	(void)end(spf, n ? SPF_PERMERROR : SPF_NONE, n ? "%.60s has %u SPF records"
						       : "%.60s has no SPF record", domain, n);
	return false;
}

static enum spf_result result_of(char qualifier)
{
	switch (qualifier) {
	case '-':
		return SPF_FAIL;
	case '~':
		return SPF_SOFTFAIL;
	case '?':
		return SPF_NEUTRAL;
	default:
		return SPF_PASS;
	}
}

/* section 6.1 */
static enum spf_result redirect(struct spf *spf, const struct spf_term *term, const char *domain)
{
	char name[DNS_NAME];

	if (count_lookup(spf) == ENDS || expand(spf, term, domain, name) == ENDS)
		return spf->ended;
	if (check_host(spf, name) == SPF_NONE)
		(void)end(spf, SPF_PERMERROR, "%.60s, which it redirects to, has no SPF", name);
	return spf->ended;
}

static bool has_two_labels(const char *domain)
{
	return strchr(domain, '.') != NULL;
}

/* Depth is bounded by the limit of look-ups: each include and redirect is one. */
static enum spf_result check_host(struct spf *spf, const char *domain)
{
	struct spf_text record, rest;
	struct spf_term term, redirected;
	char text[64];

	if (!dns_name_valid(domain) || !has_two_labels(domain)) {
		(void)end(spf, SPF_NONE, "'%.60s' is no domain", domain);
		return SPF_NONE;
	}
	if (!find_record(spf, domain, &record))
		return spf->ended;
	if (check_syntax(spf, record, &redirected) == ENDS)
		return spf->ended;
	rest = record;
	while (spf_term_next(&rest, &term) > 0) {
		enum match match;

		if (term.kind >= SPF_REDIRECT)
			continue;
		match = match_term(spf, &term, domain);
		if (match == ENDS)
			return spf->ended;
		if (match == NO_MATCH)
			continue;
		(void)end(spf, result_of(term.qualifier), "'%s' of %.40s matches",
			  shown(&term.whole, text), domain);
		return spf->ended;
	}
	if (redirected.spec.at)
		return redirect(spf, &redirected, domain);
	(void)end(spf, SPF_NEUTRAL, "nothing in the record of %.60s matches", domain);
	return spf->ended;
}

enum spf_result spf_check(const struct spf_query *query, const struct dns_source *source,
			  char ret_why[static SPF_WHY])
{
	struct spf spf = { .query = query, .source = source, .why = ret_why };

	ret_why[0] = '\0';
	return check_host(&spf, query->domain);
}
