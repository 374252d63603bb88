/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A look-up: MX, then the addresses of its hosts, of both families at once, so that "it has none
 * of yours" and "it has none" are told apart. Everything is bounded: hosts, addresses, and the
 * time for all of it.
 */
#include "relay/resolve.h"

#include "dns/dns_resolver.h"
#include "relay/resolve_mx.h"

#include "base/mem.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <ctype.h>
#include <ev.h>
#include <stdio.h>
#include <string.h>

enum { HOST_ADDRESSES = 8 };
static const double time_in_all = 20;		/* seconds */

struct host {
	char name[256];
	struct dns_question *open[FAMILIES];
	struct ip addresses[FAMILIES][HOST_ADDRESSES];
	size_t n[FAMILIES];
	bool secure[FAMILIES], failed;
};

struct host_context { struct resolve_query *query; size_t host; enum family family; };

struct resolve_query {
	struct ev_loop *loop;			/* may outlive the resolver */
	struct dns_resolver *resolver;
	struct resolve_how how;
	char domain[256], own_name[256];
	resolve_done *done;
	resolve_tlsa_done *tlsa_done;
	void *context;
	ev_timer timer;
	struct dns_question *open;		/* MX or TLSA */
	struct host hosts[RESOLVE_HOSTS_MAX];
	struct host_context contexts[RESOLVE_HOSTS_MAX][FAMILIES];
	size_t n_hosts;
	unsigned n_open;
	bool implicit, mx_secure, at_once;
};

static void query_free(struct resolve_query *query)
{
	if (query->open)
		dns_resolver_give_up(query->open);
	for (size_t i = 0; i < query->n_hosts; i++)
		for (enum family family = 0; family < FAMILIES; family++)
			if (query->hosts[i].open[family])
				dns_resolver_give_up(query->hosts[i].open[family]);
	ev_timer_stop(query->loop, &query->timer);
	free(query);
}

static void finish(struct resolve_query *query, const struct resolved *resolved)
{
	query->done(query->context, resolved);
	query_free(query);
}

static void PRINTF(3, 4) refuse(struct resolve_query *query, int code, const char *format, ...)
{
	AUTO(mem_drop) char *text = NULL;
	struct resolved resolved = { 0 };
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		abort();
	va_end(arguments);
	resolved.refusal = reply_make(code, "%s", text);
	finish(query, &resolved);
	reply_drop(&resolved.refusal);
}

/* Addresses of one host and family into the result, in the order that DNS gave. */
static void add_addresses(struct resolved *into, const struct host *host, enum family family)
{
	for (size_t i = 0; i < host->n[family] && into->n < RESOLVE_ADDRESSES_MAX; i++)
		into->at[into->n++] = (struct resolved_address){ .ip = host->addresses[family][i],
								 .host = host->name,
								 .secure = host->secure[family] };
}

/* All answers are there. */
static void judge(struct resolve_query *query)
{
	enum family first = query->how.prefer_ipv6 ? FAMILY_IPV6 : FAMILY_IPV4;
	struct resolved resolved = { .secure = query->mx_secure };
	bool failed = false, other = false;

	for (size_t i = 0; i < query->n_hosts; i++) {
		struct host *host = &query->hosts[i];

		failed |= host->failed;
		for (int turn = 0; turn < FAMILIES; turn++) {
			enum family family = turn == 0 ? first : (enum family)(1 - first);

			if (query->how.want[family])
				add_addresses(&resolved, host, family);
			else
				other |= host->n[family] > 0;
		}
	}
	if (resolved.n > 0)
		finish(query, &resolved);
	else if (other)
		refuse(query, 451, "4.4.4 %s has no address of a family that the binding has",
		       query->domain);
	else if (failed)
		refuse(query, 451, "4.4.3 the addresses of %s cannot be looked up now",
		       query->domain);
	else if (query->implicit)
		refuse(query, 550, "5.1.2 %s has neither MX nor address", query->domain);
	else
		refuse(query, 451, "4.4.4 no mail host of %s has an address", query->domain);
}

static void take_addresses(struct host *host, enum family family, const struct dns_reply *answer)
{
	struct ares_addrttl four[HOST_ADDRESSES];
	struct ares_addr6ttl six[HOST_ADDRESSES];
	int n = HOST_ADDRESSES;

	if (family == FAMILY_IPV4 &&
	    ares_parse_a_reply(answer->octets, answer->len, NULL, four, &n) != ARES_SUCCESS)
		n = 0;
	if (family == FAMILY_IPV6 &&
	    ares_parse_aaaa_reply(answer->octets, answer->len, NULL, six, &n) != ARES_SUCCESS)
		n = 0;
	for (int i = 0; i < n; i++) {
		struct ip *ip = &host->addresses[family][host->n[family]++];

		ip->len = family == FAMILY_IPV4 ? 4 : 16;
		memcpy(ip->octet, family == FAMILY_IPV4 ? (const void *)&four[i].ipaddr
							: (const void *)&six[i].ip6addr, ip->len);
	}
	host->secure[family] = answer->secure;
}

static void on_addresses(void *context, const struct dns_reply *answer)
{
	const struct host_context *of = context;
	struct resolve_query *query = of->query;
	struct host *host = &query->hosts[of->host];

	host->open[of->family] = NULL;
	if (answer->rcode == NOERROR)
		take_addresses(host, of->family, answer);
	else if (answer->rcode != DNS_NXDOMAIN)
		host->failed = true;
	if (--query->n_open == 0)
		judge(query);
}

/* Nothing is open when it returns if no host has a name of DNS. */
static void ask_addresses(struct resolve_query *query)
{
	for (size_t i = 0; i < query->n_hosts; i++) {
		for (enum family family = 0; family < FAMILIES; family++) {
			struct host_context *of = &query->contexts[i][family];

			*of = (struct host_context){ query, i, family };
			query->hosts[i].open[family] =
				dns_resolver_ask(query->resolver, query->hosts[i].name,
					family == FAMILY_IPV4 ? DNS_A : DNS_AAAA, on_addresses, of);
			if (query->hosts[i].open[family])
				query->n_open++;
		}
	}
}

static void ask_hosts(struct resolve_query *query)
{
	ask_addresses(query);
	if (query->n_open == 0)
		judge(query);
}

static void add_host(struct resolve_query *query, const char *name)
{
	(void)snprintf(query->hosts[query->n_hosts++].name, sizeof query->hosts[0].name, "%s",
		       name);
}

/* MX records into @ret, names folded; their number, or -1 if the answer is no good. */
static int read_mx(const struct dns_reply *answer, struct mx ret[static MX_MAX])
{
	struct ares_mx_reply *list = NULL;
	int n = 0, r = ares_parse_mx_reply(answer->octets, answer->len, &list);

	if (r == ARES_ENODATA)
		return 0;
	if (r != ARES_SUCCESS)
		return -1;
	for (const struct ares_mx_reply *at = list; at && n < MX_MAX; at = at->next, n++) {
		size_t len = strlen(at->host);

		ret[n] = (struct mx){ .preference = at->priority };
		if (len > 0 && at->host[len - 1] == '.')
			len--;
		if (len >= sizeof ret[n].host)
			len = 0;
		for (size_t i = 0; i < len; i++)
			ret[n].host[i] = (char)tolower((unsigned char)at->host[i]);
	}
	ares_free_data(list);
	return n;
}

static void on_mx(void *context, const struct dns_reply *answer)
{
	struct resolve_query *query = context;
	struct reply refusal = { 0 };
	struct mx mx[MX_MAX];
	int n = 0;

	query->open = NULL;
	if (answer->rcode == NOERROR)
		n = read_mx(answer, mx);
	if (answer->rcode == DNS_NXDOMAIN) {
		refuse(query, 550, "5.1.2 there is no domain %s", query->domain);
	} else if (answer->rcode != NOERROR || n < 0) {
		refuse(query, 451, "4.4.3 the mail hosts of %s cannot be looked up now",
		       query->domain);
	} else if (n == 0) {			/* RFC 5321 section 5.1: the domain is its own host */
		query->implicit = true;
		query->mx_secure = answer->secure;
		add_host(query, query->domain);
		ask_hosts(query);
	} else {
		size_t left = resolve_mx_order(mx, (size_t)n, &query->how, &refusal);

		if (left == 0) {
			struct resolved resolved = { .refusal = refusal };

			finish(query, &resolved);
			reply_drop(&refusal);
			return;
		}
		query->mx_secure = answer->secure;
		for (size_t i = 0; i < left; i++)
			add_host(query, mx[i].host);
		ask_hosts(query);
	}
}

/* False: nothing needs to be asked, and conclude() has the answer. */
static bool ask(struct resolve_query *query)
{
	struct ip ip;

	if (resolve_literal(query->domain, &ip)) {
		struct host *host = &query->hosts[0];

		add_host(query, query->domain);
		host->addresses[ip_family(&ip)][0] = ip;
		host->n[ip_family(&ip)] = 1;
	} else if (query->how.mx) {
		query->open =
			dns_resolver_ask(query->resolver, query->domain, DNS_MX, on_mx, query);
	} else {
		query->implicit = true;
		add_host(query, query->domain);
		ask_addresses(query);
	}
	return query->open || query->n_open > 0;
}

static void conclude(struct resolve_query *query)
{
	if (query->n_hosts == 0)
		refuse(query, 550, "5.1.2 %s is no domain name", query->domain);
	else
		judge(query);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct resolve_query *query = timer->data;

	(void)loop;
	(void)revents;
	if (query->tlsa_done) {
		query->tlsa_done(query->context, NULL, 0, true);
		query_free(query);
	} else if (query->at_once) {
		conclude(query);
	} else {
		refuse(query, 451, "4.4.3 DNS takes too long for %s", query->domain);
	}
}

static struct resolve_query *query_new(struct dns_resolver *resolver, void *context)
{
	struct resolve_query *query = mem_zero(1, sizeof *query);

	query->resolver = resolver;
	query->loop = dns_resolver_loop(resolver);
	query->context = context;
	ev_timer_init(&query->timer, on_timer, time_in_all, 0);
	query->timer.data = query;
	ev_timer_start(query->loop, &query->timer);
	return query;
}

/* Its turn comes at once, but not from within the call. */
static void conclude_soon(struct resolve_query *query)
{
	ev_timer_stop(query->loop, &query->timer);
	ev_timer_set(&query->timer, 0, 0);
	ev_timer_start(query->loop, &query->timer);
}

int resolve_open(struct ev_loop *loop, const struct relay *relay, struct dns_resolver **ret)
{
	struct dns_how how = { .server = relay->resolver.ip, .port = relay->resolver.port };

	return dns_resolver_new(loop, &how, ret);
}

struct resolve_query *resolve_start(struct dns_resolver *resolver, const struct resolve_how *how,
				    resolve_done *done, void *context)
{
	struct resolve_query *query = query_new(resolver, context);

	query->how = *how;
	query->done = done;
	(void)snprintf(query->domain, sizeof query->domain, "%s", how->domain);
	(void)snprintf(query->own_name, sizeof query->own_name, "%s",
		       how->own_name ? how->own_name : "");
	query->how.domain = query->domain;
	query->how.own_name = query->own_name[0] ? query->own_name : NULL;
	query->at_once = !ask(query);
	if (query->at_once)
		conclude_soon(query);
	return query;
}

void resolve_cancel(struct resolve_query *query)
{
	query_free(query);
}

/* One TLSA record's RDATA, RFC 6698 section 2.1. */
static bool take_tlsa(const uint8_t *octets, size_t len, struct tlsa *ret)
{
	if (len < 4)
		return false;
	*ret = (struct tlsa){ octets[0], octets[1], octets[2], octets + 3, len - 3 };
	return true;
}

struct tlsa_list { struct tlsa at[16]; size_t n; };

static void add_tlsa(void *context, const uint8_t *octets, size_t len)
{
	struct tlsa_list *list = context;

	if (list->n < ARRAY_LEN(list->at) && take_tlsa(octets, len, &list->at[list->n]))
		list->n++;
}

static void on_tlsa(void *context, const struct dns_reply *answer)
{
	struct resolve_query *query = context;
	struct tlsa_list records = { .n = 0 };
	int r = 0;

	query->open = NULL;
	if (answer->rcode == NOERROR && answer->secure)
		r = dns_message_each(answer->octets, (size_t)answer->len, DNS_TLSA, add_tlsa,
				     &records);
	query->tlsa_done(query->context, records.at, r < 0 ? 0 : records.n,
			 r < 0 || (answer->rcode != NOERROR && answer->rcode != DNS_NXDOMAIN));
	query_free(query);
}

struct resolve_query *resolve_tlsa(struct dns_resolver *resolver, const char *host, uint16_t port,
				   resolve_tlsa_done *done, void *context)
{
	struct resolve_query *query = query_new(resolver, context);
	char name[300];

	query->tlsa_done = done;
	(void)snprintf(name, sizeof name, "_%u._tcp.%s", port, host);
	query->open = dns_resolver_ask(resolver, name, DNS_TLSA, on_tlsa, query);
	if (!query->open)			/* no name for DNS */
		conclude_soon(query);
	return query;
}
