/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of the relay stanza: endpoints, next hops, tables, domains, senders, sizes and times. Each
 * check reports the first thing that is wrong, with what it found and what it expected, and writes
 * its result on success only. Domains are folded to lower case (ASCII: what is beyond is compared as
 * it is), local parts never are: RFC 5321 section 2.4.
 */
#include "model/conf_build.h"

#include <stdio.h>
#include <string.h>

/* sockaddr_un.sun_path less its NUL; RFC 1035 section 2.3.4; RFC 5321 section 4.5.3.1. */
enum { SOCKET_PATH_MAX = 107, LABEL_MAX = 63, DOMAIN_MAX = 253, LOCAL_MAX = 64 };
enum { DNS_PORT = 53, SMTP_PORT = 25, SECONDS_MAX = 86400 };

bool conf_form_file(struct conf *conf, const char *what, const struct word *word, bool is_socket,
		    struct where where, const char **ret)
{
	const char *fault = NULL;

	if (word->len == 0 || word->at[0] != '/')
		fault = "is not absolute";
	else if (word->at[word->len - 1] == '/')
		fault = "is a directory";
	else if (is_socket && word->len > SOCKET_PATH_MAX)
		fault = "is longer than the 107 bytes that a socket's may have";
	else if (word->len > 4000)
		fault = "is too long";
	for (size_t i = 0; !fault && i < word->len; i++)
		if (conf_is_control(&word->at[i], word->len - i))
			fault = "has a control character";
	if (fault) {
		diag_error(conf->diag, where, "%s: path %s %s: expected one such as \"%s\"", what,
			   SHOW(word), fault,
			   is_socket ? "/run/outbind-relay/lmtp" : "/etc/outbind/file");
		return false;
	}
	*ret = conf_word_keep(conf, word);
	return true;
}

/* "ADDRESS:PORT", "[ADDRESS]:PORT" as address and port; @ret_port is 0 if there is none. */
static bool split_port(const struct word *word, struct word *ret_host, uint16_t *ret_port)
{
	bool bracketed = word->len > 2 && word->at[0] == '[';
	const char *end = bracketed ? memchr(word->at, ']', word->len) : NULL;
	const char *colon = end ? end + 1 : word->len ? memrchr(word->at, ':', word->len) : NULL;
	size_t len = colon ? (size_t)(colon - word->at) : word->len;
	uint64_t port = 0;

	if (bracketed && !end)
		return false;
	/* more than one colon outside of brackets: an IPv6 address alone */
	if (!bracketed && colon && memchr(word->at, ':', len))
		len = word->len;
	if (len < word->len &&
	    (word->at[len] != ':' ||
	     conf_word_number(&(struct word){ .at = word->at + len + 1,
					      .len = word->len - len - 1 },
			      UINT16_MAX, &port) < 0 || port == 0))
		return false;
	*ret_host = bracketed ? (struct word){ .at = word->at + 1, .len = len - 2 }
			      : (struct word){ .at = word->at, .len = len };
	*ret_port = (uint16_t)port;
	return true;
}

static bool is_multicast(const struct ip *ip)
{
	return ip->len == 4 ? ip->octet[0] >= 224 : ip->octet[0] == 0xff;
}

static const char *endpoint_wanted(enum endpoint_kind kind)
{
	static const char *const wanted[] = {
		[ENDPOINT_LISTEN] = "an address and a port such as 127.0.0.1:2525, [::1]:2525 or "
				    "*:2525, or an absolute path",
		[ENDPOINT_TCP] = "an address and a port such as 127.0.0.1:2526, [::1]:2526 or "
				 "*:2526",
		[ENDPOINT_RESOLVER] = "the address of a resolver such as 127.0.0.1, "
				      "127.0.0.1:5353 or [::1]:53",
	};

	return wanted[kind];
}

bool conf_form_endpoint(struct conf *conf, enum endpoint_kind kind, const struct word *word,
			struct where where, struct relay_endpoint *ret)
{
	struct relay_endpoint at = { .port = kind == ENDPOINT_RESOLVER ? DNS_PORT : 0 };
	struct word host = { 0 };
	char text[IP_TEXT + 1];
	uint16_t port = 0;
	bool good;

	if (kind == ENDPOINT_LISTEN && word->len && word->at[0] == '/') {
		if (!conf_form_file(conf, "listen", word, true, where, &at.path))
			return false;
		*ret = at;
		return true;
	}
	good = split_port(word, &host, &port);
	at.port = port ? port : at.port;
	good = good && at.port;
	if (good && !(conf_word_is(&host, "*") && kind != ENDPOINT_RESOLVER))
		good = conf_word_copy(&host, text, sizeof text) && ip_parse(text, &at.ip) == 0 &&
		       !is_multicast(&at.ip);
	if (!good)
		diag_error(conf->diag, where, "%s is not an endpoint: expected %s", SHOW(word),
			   endpoint_wanted(kind));
	else
		*ret = at;
	return good;
}

static const char *keep_folded(struct conf *conf, const struct word *word)
{
	const char *text = conf_word_keep(conf, word);

	for (char *c = (char *)(uintptr_t)text; *c; c++) /* ours alone so far */
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return text;
}

/* What is wrong with a domain, without a leading dot, or NULL; an address literal is one too. */
static const char *domain_fault(const struct word *word)
{
	size_t start = 0;

	if (word->len == 0)
		return "is empty";
	if (word->len > DOMAIN_MAX)
		return "has over 253 bytes";
	for (size_t i = 0; i < word->len; i++)
		if ((unsigned char)word->at[i] <= ' ' || strchr("@<>()\"\\,;/", word->at[i]) ||
		    conf_is_control(&word->at[i], word->len - i))
			return "has a character that domains do not have";
	if (word->at[0] == '[')
		return word->at[word->len - 1] == ']' ? NULL : "has no ']' at its end";
	for (size_t i = 0; i <= word->len; i++) {
		if (i < word->len && word->at[i] != '.')
			continue;
		if (i == start)
			return "has an empty label";
		if (i - start > LABEL_MAX)
			return "has a label of over 63 bytes";
		start = i + 1;
	}
	return NULL;
}

/* A trailing dot means the same. */
static struct word without_end_dot(struct word word)
{
	if (word.len > 1 && word.at[word.len - 1] == '.')
		word.len--;
	return word;
}

bool conf_form_domain(struct conf *conf, const struct word *word, struct where where,
		      const char **ret)
{
	struct word all = without_end_dot(*word), domain = all;
	bool below = domain.len && domain.at[0] == '.';
	const char *fault;

	if (below)
		domain = (struct word){ .at = domain.at + 1, .len = domain.len - 1 };
	fault = domain_fault(&domain);
	if (fault) {
		diag_error(conf->diag, where,
			   "%s is not a domain, it %s: expected one such as example.com, or "
			   ".example.com for all below it", SHOW(word), fault);
		return false;
	}
	*ret = keep_folded(conf, &all);
	return true;
}

static const char *local_fault(const struct word *local)
{
	if (local->len == 0)
		return "has nothing before its '@'";
	if (local->len > LOCAL_MAX)
		return "has over 64 bytes before its '@'";
	for (size_t i = 0; i < local->len; i++)
		if (conf_is_control(&local->at[i], local->len - i) || strchr("<>", local->at[i]) ||
		    (local->at[i] == ' ' && local->at[0] != '"'))
			return "has a character that addresses do not have";
	return NULL;
}

bool conf_form_sender(struct conf *conf, const struct word *word, struct where where,
		      const char **ret)
{
	const char *at = word->len ? memrchr(word->at, '@', word->len) : NULL;
	struct word local = *word, domain, whole;
	const char *fault;
	char *text;

	if (word->len == 0) {
		*ret = "";
		return true;
	}
	if (!at)
		return conf_form_domain(conf, word, where, ret);
	local.len = (size_t)(at - word->at);
	domain = without_end_dot((struct word){ .at = at + 1, .len = word->len - local.len - 1 });
	fault = local_fault(&local);
	if (!fault)
		fault = domain.len == 0 ? "has nothing after its '@'" : domain_fault(&domain);
	if (fault) {
		diag_error(conf->diag, where,
			   "%s is not a sender, it %s: expected user@example.com, example.com, "
			   ".example.com or \"\"", SHOW(word), fault);
		return false;
	}
	whole = (struct word){ .at = word->at, .len = local.len + 1 + domain.len };
	*ret = text = (char *)(uintptr_t)keep_folded(conf, &whole);
	memcpy(text, local.at, local.len); /* as it was */
	return true;
}

bool conf_form_next_hop(struct conf *conf, const struct word *word, bool mx, struct where where,
			struct relay_host *ret)
{
	struct word host = { 0 };
	char text[IP_TEXT + 1];
	uint16_t port = 0;
	bool good = split_port(word, &host, &port), is_ip;
	struct ip ip;

	host = good ? without_end_dot(host) : host;
	is_ip = good && conf_word_copy(&host, text, sizeof text) && ip_parse(text, &ip) == 0;
	if (good && is_ip && mx) {
		diag_error(conf->diag, where, "%s is an address, which has no MX: expected a "
			   "domain, or no 'mx'", SHOW(word));
		return false;
	}
	if (!good || (!is_ip && !conf_form_host_name(&host))) {
		diag_error(conf->diag, where, "%s is not a next hop: expected a host, with a port "
			   "if it is not 25, such as \"mail.isp.example:587\" or "
			   "\"[2001:db8::25]:587\"", SHOW(word));
		return false;
	}
	*ret = (struct relay_host){ .host = keep_folded(conf, &host), .mx = mx,
				    .port = port == SMTP_PORT ? 0 : port };
	return true;
}

/* "unix:PATH" or "inet:HOST:PORT" */
static bool map_place(const struct word *word, struct conf *conf, struct relay_endpoint *ret)
{
	static const char unix_tag[] = "unix:", inet_tag[] = "inet:";
	struct word place = { .at = word->at + 5, .len = word->len < 5 ? 0 : word->len - 5 }, host;
	char text[IP_TEXT + 1];

	if (place.len == 0)
		return false;
	if (memcmp(word->at, unix_tag, 5) == 0) {
		if (place.at[0] != '/' || place.len > SOCKET_PATH_MAX)
			return false;
		ret->path = conf_word_keep(conf, &place);
		return true;
	}
	if (memcmp(word->at, inet_tag, 5) != 0 || !split_port(&place, &host, &ret->port) ||
	    ret->port == 0)
		return false;
	if (conf_word_is(&host, "localhost"))
		host = (struct word){ .at = "127.0.0.1", .len = 9 };
	return conf_word_copy(&host, text, sizeof text) && ip_parse(text, &ret->ip) == 0;
}

bool conf_form_map(struct conf *conf, const struct word *word, struct where where,
		   struct relay_map *ret)
{
	static const char tag[] = "socketmap:";
	size_t skip = strlen(tag);
	const char *colon = word->len ? memrchr(word->at, ':', word->len) : NULL;
	struct relay_map map = { 0 };
	struct word name, place;

	if (word->len > skip && memcmp(word->at, tag, skip) == 0 && colon > word->at + skip) {
		place = (struct word){ .at = word->at + skip,
				       .len = (size_t)(colon - word->at) - skip };
		name = (struct word){ .at = colon + 1,
				      .len = word->len - (size_t)(colon - word->at) - 1 };
		if (name.len && !memchr(name.at, ' ', name.len) &&
		    map_place(&place, conf, &map.at)) {
			map.name = conf_word_keep(conf, &name);
			*ret = map;
			return true;
		}
	}
	diag_error(conf->diag, where,
		   "%s is not a table: expected \"socketmap:unix:PATH:NAME\" or "
		   "\"socketmap:inet:ADDRESS:PORT:NAME\"", SHOW(word));
	return false;
}

bool conf_form_size(struct conf *conf, const struct word *word, struct where where, uint64_t *ret)
{
	static const char units[] = "KMG";
	enum { SIZE_MIN = 1024 };
	const uint64_t most = UINT64_C(1) << 40;
	const char *unit = word->len ? memchr(units, word->at[word->len - 1], 3) : NULL;
	struct word number = { .at = word->at, .len = word->len - (unit != NULL) };
	int shift = unit ? 10 * (int)(unit - units + 1) : 0;
	uint64_t size = 0;

	if (conf_word_number(&number, most >> shift, &size) < 0 || size << shift < SIZE_MIN) {
		diag_error(conf->diag, where,
			   "%s is not the size of a message: expected a number of bytes, or one with "
			   "K, M or G such as 50M, from 1K to 1024G", SHOW(word));
		return false;
	}
	*ret = size << shift;
	return true;
}

/* "300s" */
bool conf_form_seconds(struct conf *conf, const char *what, const struct word *word,
		       struct where where, uint32_t *ret)
{
	struct word number = { .at = word->at, .len = word->len ? word->len - 1 : 0 };
	bool in_s = word->len > 1 && word->at[word->len - 1] == 's';
	uint64_t seconds = 0;

	if (!in_s || conf_word_number(&number, SECONDS_MAX, &seconds) < 0 || seconds == 0) {
		diag_error(conf->diag, where, "%s %s is not a time from 1s to %ds", what,
			   SHOW(word), SECONDS_MAX);
		return false;
	}
	*ret = (uint32_t)seconds;
	return true;
}
