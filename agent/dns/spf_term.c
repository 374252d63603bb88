/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See spf_term.h. A record comes from strangers: it has a length and may hold any octet. What
 * the grammar does not have is an error of the whole record, as section 4.6 wants it.
 */
#include "dns/spf_term.h"

#include "dns/spf_macro.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_text(const struct spf_text *text, const char *word)
{
	return text->len == strlen(word) && strncasecmp(text->at, word, text->len) == 0;
}

static const char *find(const struct spf_text *text, const char *any)
{
	for (size_t i = 0; i < text->len; i++)
		if (text->at[i] && strchr(any, text->at[i]))
			return text->at + i;
	return NULL;
}

static struct spf_text behind(const struct spf_text *text, const char *at)
{
	return (struct spf_text){ at, (size_t)(text->at + text->len - at) };
}

bool spf_term_begin(const char *record, size_t len, struct spf_text *ret_rest)
{
	static const char version[] = "v=spf1";
	size_t n = strlen(version);

	if (len < n || strncasecmp(record, version, n) != 0 || (len > n && record[n] != ' '))
		return false;
	*ret_rest = (struct spf_text){ record + n, len - n };
	return true;
}

/* A decimal number without leading zeros, up to @most. */
static bool read_bits(const struct spf_text *text, unsigned most, uint8_t *ret)
{
	unsigned bits = 0;

	if (text->len == 0 || text->len > 3 || (text->len > 1 && text->at[0] == '0'))
		return false;
	for (size_t i = 0; i < text->len; i++) {
		if (!isdigit((unsigned char)text->at[i]))
			return false;
		bits = bits * 10 + (unsigned)(text->at[i] - '0');
	}
	*ret = (uint8_t)bits;
	return bits <= most;
}

/* Length of "/24", "//64" or "/24//64" at the end of @text. Digits alone decide what a slash is. */
static size_t cidr_len(const struct spf_text *text)
{
	size_t at = text->len, found = at;

	for (int parts = 0; parts < 2 && at > 0; parts++) {
		size_t digits = at;

		while (digits > 0 && isdigit((unsigned char)text->at[digits - 1]))
			digits--;
		if (digits == 0 || text->at[digits - 1] != '/')
			break;
		at = digits - 1;
		if (at > 0 && text->at[at - 1] == '/')
			at--;
		found = at;
	}
	return text->len - found;
}

/* section 5.6: dual-cidr-length */
static bool read_cidrs(struct spf_text *text, struct spf_term *term)
{
	struct spf_text cidr = { text->at + text->len - cidr_len(text), cidr_len(text) };
	const char *slash;
	struct spf_text part;

	text->len -= cidr.len;
	term->bits[FAMILY_IPV4] = 32;
	term->bits[FAMILY_IPV6] = 128;
	if (cidr.len == 0)
		return true;
	slash = memmem(cidr.at, cidr.len, "//", 2);
	if (slash) {
		part = behind(&cidr, slash + 2);
		if (!read_bits(&part, 128, &term->bits[FAMILY_IPV6]))
			return false;
		cidr.len = (size_t)(slash - cidr.at);
	}
	part = (struct spf_text){ cidr.at + 1, cidr.len ? cidr.len - 1 : 0 };
	return cidr.len == 0 || read_bits(&part, 32, &term->bits[FAMILY_IPV4]);
}

static int read_network(const struct spf_text *text, struct spf_term *term)
{
	bool four = term->kind == SPF_IP4;
	const char *slash = find(text, "/");
	struct spf_text ip = { text->at, slash ? (size_t)(slash - text->at) : text->len };
	struct spf_text bits = slash ? behind(text, slash + 1) : (struct spf_text){ 0 };
	char address[IP_TEXT];

	term->network = (struct prefix){ .ip.len = four ? 4 : 16, .bits = four ? 32 : 128 };
	if (ip.len == 0 || ip.len >= sizeof address || memchr(ip.at, '\0', ip.len))
		return -EINVAL;
	memcpy(address, ip.at, ip.len);
	address[ip.len] = '\0';
	/* not ip_parse(): ::ffff:192.0.2.1 is an address for SPF */
	if (inet_pton(four ? AF_INET : AF_INET6, address, term->network.ip.octet) != 1 ||
	    (slash && !read_bits(&bits, term->network.bits, &term->network.bits)))
		return -EINVAL;
	ip_clear_host_bits(&term->network.ip, term->network.bits);
	return 1;
}

/* What follows the name of a mechanism: nothing, ":..." or "/...". */
static int read_mechanism(struct spf_text argument, struct spf_term *term)
{
	bool colon = argument.len > 0 && argument.at[0] == ':';
	struct spf_text value = { argument.at + colon, argument.len - colon };

	if (term->kind == SPF_ALL)
		return argument.len == 0 ? 1 : -EINVAL;
	if (term->kind == SPF_IP4 || term->kind == SPF_IP6)
		return colon ? read_network(&value, term) : -EINVAL;
	if ((term->kind == SPF_A || term->kind == SPF_MX) && !read_cidrs(&value, term))
		return -EINVAL;
	if (!colon)
		return value.len == 0 && term->kind != SPF_INCLUDE && term->kind != SPF_EXISTS
			       ? 1
			       : -EINVAL;
	term->spec = value;
	return spf_macro_check(&value) < 0 ? -EINVAL : 1;
}

static int read_modifier(const struct spf_text *name, struct spf_text value, struct spf_term *term)
{
	term->kind = is_text(name, "redirect") ? SPF_REDIRECT
		     : is_text(name, "exp")    ? SPF_EXP
					       : SPF_OTHER;
	term->spec = value;
	if (term->kind == SPF_OTHER)
		return spf_macro_check_text(&value) < 0 ? -EINVAL : 1;
	return spf_macro_check(&value) < 0 ? -EINVAL : 1;
}

/* section 12: name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ) */
static bool is_name(const struct spf_text *text)
{
	if (text->len == 0 || !isalpha((unsigned char)text->at[0]))
		return false;
	for (size_t i = 1; i < text->len; i++)
		if (!isalnum((unsigned char)text->at[i]) &&
		    (!text->at[i] || !strchr("-_.", text->at[i])))
			return false;
	return true;
}

static int read_term(struct spf_text text, struct spf_term *term)
{
	static const char *const names[] = {
		[SPF_ALL] = "all", [SPF_INCLUDE] = "include", [SPF_A] = "a", [SPF_MX] = "mx",
		[SPF_PTR] = "ptr", [SPF_IP4] = "ip4", [SPF_IP6] = "ip6", [SPF_EXISTS] = "exists",
	};
	const char *end = find(&text, ":/=");
	struct spf_text name = { text.at, end ? (size_t)(end - text.at) : text.len };

	*term = (struct spf_term){ .qualifier = '+', .whole = text };
	if (end && *end == '=' && is_name(&name))
		return read_modifier(&name, behind(&text, end + 1), term);
	if (name.len > 0 && name.at[0] && strchr("+-?~", name.at[0])) {
		term->qualifier = name.at[0];
		name = (struct spf_text){ name.at + 1, name.len - 1 };
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (is_text(&name, names[i])) {
			term->kind = (enum spf_kind)i;
			return read_mechanism(behind(&text, name.at + name.len), term);
		}
	return -EINVAL;
}

int spf_term_next(struct spf_text *rest, struct spf_term *ret)
{
	const char *end;
	struct spf_text term;

	while (rest->len > 0 && rest->at[0] == ' ')
		*rest = behind(rest, rest->at + 1);
	if (rest->len == 0)
		return 0;
	end = memchr(rest->at, ' ', rest->len);
	end = end ? end : rest->at + rest->len;
	term = (struct spf_text){ rest->at, (size_t)(end - rest->at) };
	*rest = behind(rest, end);
	return read_term(term, ret);
}
