/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The form of names: what may be a binding, an uplink, a unit, a cgroup, an EHLO name, an interface. Each
 * check reports the first thing that is wrong, with what it found and what it expected. Whether
 * the thing exists is asked elsewhere, or later by the agent. Numbers are in conf_number.c.
 */
#include "model/conf_build.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

bool conf_form_name(struct conf *conf, const char *what, const struct word *word,
		    struct where where)
{
	if (word->len == 0) {
		diag_error(conf->diag, where, "the name of %s %s is empty: expected 1 to %d bytes",
			   strchr("iu", *what) ? "an" : "a", what, NAME_MAX_BYTES);
		return false;
	}
	if (word->len > NAME_MAX_BYTES) {
		diag_error(conf->diag, where, "%s name %s has %zu bytes: expected at most %d",
			   what, SHOW(word), word->len, NAME_MAX_BYTES);
		return false;
	}
	for (size_t i = 0; i < word->len; i++) {
		char c = word->at[i];
		const char *fault = NULL;

		if (c == ' ')
			fault = "a space";
		else if (c == ':')
			fault = "a colon";
		else if (conf_is_control(&word->at[i], word->len - i))
			fault = "a control character";
		if (!fault)
			continue;
		diag_error(conf->diag, where,
			   "%s name %s has %s: expected a name without "
			   "spaces, colons and control characters",
			   what, SHOW(word), fault);
		return false;
	}
	return true;
}

/* Length of @word without its unit suffix, or 0 if it has none. */
static size_t unit_stem(const struct word *word)
{
	static const char *const suffixes[] = { ".service", ".scope", ".slice",
						".socket",  ".mount", ".swap" };

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		size_t len = strlen(suffixes[i]);

		if (word->len > len && memcmp(word->at + word->len - len, suffixes[i], len) == 0)
			return word->len - len;
	}
	return 0;
}

/* systemd.unit(5), DESCRIPTION: characters, suffixes, length; of the types, those with a cgroup. */
bool conf_form_unit(struct conf *conf, const struct word *word, struct where where)
{
	size_t stem = unit_stem(word);
	char shown[WORD_SHOWN];

	conf_word_show(word, shown);
	for (size_t i = 0; i < word->len; i++) {
		char c = word->at[i];

		if (c && (strchr(letters, c) || strchr(":_.\\@-", c)))
			continue;
		diag_error(conf->diag, where,
			   "%s is not a unit name: expected letters, digits and "
			   "':_.\\@-' only%s",
			   shown, c == '/' ? "; for a path write 'cgroup' in place of 'unit'" : "");
		return false;
	}
	if (word->len > 255)
		diag_error(conf->diag, where, "unit name %s has %zu bytes: expected at most 255",
			   shown, word->len);
	else if (stem == 0 && word->len && !memchr(word->at, '.', word->len))
		diag_error(conf->diag, where,
			   "unit name %s has no suffix: did you mean "
			   "'%.*s.service'?",
			   shown, (int)word->len, word->at);
	else if (stem == 0 || word->at[0] == '@')
		diag_error(conf->diag, where,
			   "%s is not a unit that has a cgroup: expected a name "
			   "that ends in .service, .scope, .slice, .socket, .mount or .swap",
			   shown);
	else if (word->at[stem - 1] == '@')
		diag_error(conf->diag, where,
			   "%s is a template, which never runs: expected an "
			   "instance such as '%.*sNAME%.*s', or the slice of its instances",
			   shown, (int)stem, word->at, (int)(word->len - stem), word->at + stem);
	else
		return true;
	return false;
}

/* What is wrong with one component of a path, or NULL. */
static const char *component_fault(const char *at, size_t len)
{
	if (len == 0)
		return "has an empty component";
	if (len <= 2 && memcmp(at, "..", len) == 0)
		return len == 1 ? "has a component '.'" : "has a component '..'";
	if (len > 255)
		return "has a component of over 255 bytes";
	for (size_t i = 0; i < len; i++)
		if (conf_is_control(&at[i], len - i))
			return "has a control character";
	return NULL;
}

bool conf_form_cgroup(struct conf *conf, const struct word *word, struct where where)
{
	enum { LEVELS_MAX = 8 }; /* what the rules look at, deepest first */
	const char *fault = NULL;
	size_t levels = 0;

	if (word->len == 0 || word->at[0] != '/')
		fault = "is not absolute";
	else if (word->len == 1)
		fault = "is the root, which holds every process";
	for (size_t i = 0; !fault && i < word->len; levels++) {
		size_t start = i + 1;

		for (i = start; i < word->len && word->at[i] != '/';)
			i++;
		fault = component_fault(word->at + start, i - start);
	}
	if (!fault && levels > LEVELS_MAX)
		fault = "is over 8 levels deep";
	if (fault)
		diag_error(conf->diag, where,
			   "cgroup path %s %s: expected a path below the cgroup "
			   "root, of at most %d levels, such as \"/tenants.slice/beta.slice\"",
			   SHOW(word), fault, LEVELS_MAX);
	return !fault;
}

/* RFC 5321 section 4.1.2: letters, digits and inner hyphens, labels of at most 63 octets. */
bool conf_form_host_name(const struct word *word)
{
	size_t start = 0;

	if (word->len == 0 || word->len > 253)
		return false;
	for (size_t i = 0; i <= word->len; i++) {
		if (i < word->len && word->at[i] != '.') {
			if (!word->at[i] || (word->at[i] != '-' && !strchr(letters, word->at[i])))
				return false;
			continue;
		}
		if (i == start || i - start > 63 || word->at[start] == '-' ||
		    word->at[i - 1] == '-')
			return false;
		start = i + 1;
	}
	return true;
}

/* RFC 5321 section 4.1.3: [192.0.2.1] or [IPv6:2001:db8::1]. */
static bool is_literal(const struct word *word)
{
	static const char tag[] = "IPv6:";
	char text[64], *inner = text + 1;
	struct ip ip;
	bool is_ipv6;

	if (!conf_word_copy(word, text, sizeof text) || word->len < 3 || text[0] != '[' ||
	    text[word->len - 1] != ']')
		return false;
	text[word->len - 1] = '\0';
	is_ipv6 = strncasecmp(inner, tag, strlen(tag)) == 0;
	if (is_ipv6)
		inner += strlen(tag);
	return ip_parse(inner, &ip) == 0 && (ip_family(&ip) == FAMILY_IPV6) == is_ipv6;
}

bool conf_form_ehlo(struct conf *conf, const struct word *word, struct where where)
{
	if (conf_form_host_name(word) || is_literal(word))
		return true;
	diag_error(conf->diag, where,
		   "%s is not an EHLO name: expected a host name such as "
		   "mx.example.net, or an address literal such as [192.0.2.1] or "
		   "[IPv6:2001:db8::1]",
		   SHOW(word));
	return false;
}

/* net/core/dev.c, dev_valid_name(). */
bool conf_form_interface(struct conf *conf, const struct word *word, struct where where)
{
	bool good = word->len >= 1 && word->len <= 15 && !conf_word_is(word, ".") &&
		    !conf_word_is(word, "..");

	for (size_t i = 0; good && i < word->len; i++)
		good = word->at[i] != '/' && word->at[i] != ':' && word->at[i] != ' ' &&
		       !conf_is_control(&word->at[i], word->len - i);
	if (!good)
		diag_error(conf->diag, where,
			   "%s is not the name of an interface: expected 1 to 15 "
			   "bytes without '/', ':' and spaces",
			   SHOW(word));
	return good;
}

bool conf_form_choice(struct conf *conf, const char *what, const struct word *word,
		      struct where where, const char *const *names, size_t n, unsigned *ret)
{
	const char *near = conf_near(word, names, n);
	char wanted[128] = "";
	size_t used = 0;

	for (unsigned i = 0; i < n; i++) {
		if (conf_word_is(word, names[i])) {
			*ret = i;
			return true;
		}
		used += (size_t)snprintf(wanted + used, sizeof wanted - used, "%s'%s'",
					 i == 0 ? "" : i + 1 == n ? " or " : ", ", names[i]);
	}
	diag_error(conf->diag, where, "%s is not %s: expected %s%s%s%s", SHOW(word), what, wanted,
		   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return false;
}
