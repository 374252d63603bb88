/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Envelope addresses: RFC 5321 section 4.1.2. Strict where a mistake could become another address (quoting,
 * brackets, source routes), lenient where everybody is (underscores, any UTF-8: RFC 6531).
 */
#include "smtp/address.h"

#include <ctype.h>
#include <string.h>

/* atext of RFC 5322 section 3.2.3, and what RFC 6531 adds. */
static bool is_atext(char c)
{
	return (c && strchr("!#$%&'*+-/=?^_`{|}~", c)) || isalnum((unsigned char)c) ||
	       (unsigned char)c >= 0x80;
}

/* Length of a Quoted-string at the start of @text, 0 if it is none. */
static size_t quoted_length(struct text text)
{
	for (size_t i = 1; i < text.len; i++) {
		char c = text.at[i];

		if (c == '"')
			return i + 1;
		if (c == '\\')
			i++;
		if (i == text.len || (unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
			return 0;
	}
	return 0;
}

/* Length of a Dot-string, 0 if it is none: atoms joined by single dots. */
static size_t dotted_length(struct text text)
{
	size_t i = 0;

	while (i < text.len && (is_atext(text.at[i]) ||
				(text.at[i] == '.' && i > 0 && text.at[i - 1] != '.')))
		i++;
	return i > 0 && text.at[i - 1] == '.' ? 0 : i;
}

static size_t local_length(struct text text)
{
	return text.len > 0 && text.at[0] == '"' ? quoted_length(text) : dotted_length(text);
}

/* Length of a domain or address literal at the start of @text, 0 if it is none. */
static size_t domain_length(struct text text)
{
	size_t i = 0;

	if (text.len > 0 && text.at[0] == '[') {
		for (i = 1; i < text.len && text.at[i] != ']'; i++)
			if (!isalnum((unsigned char)text.at[i]) && !strchr(":.-", text.at[i]))
				return 0;
		return i < text.len && i > 1 ? i + 1 : 0;
	}
	for (; i < text.len; i++) {
		char c = text.at[i];
		bool label = isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
		bool inner = i > 0 && text.at[i - 1] != '.';

		if (!label && !((c == '-' || c == '.') && inner))
			break;
	}
	if (i > 0 && text.at[i - 1] == '.')
		i--;				/* a trailing dot is not part of it */
	return i > 0 && text.at[i - 1] != '-' ? i : 0;
}

static struct text behind(struct text text, size_t n)
{
	return (struct text){ text.at + n, text.len - n };
}

/* "@a,@b:" in front of the address: read and dropped, RFC 5321 section 4.1.1.3. False if malformed. */
static bool skip_route(struct text *text)
{
	while (text->len > 0 && text->at[0] == '@') {
		size_t n = domain_length(behind(*text, 1));

		if (n == 0 || n + 1 >= text->len)
			return false;
		*text = behind(*text, n + 1);
		if (text->at[0] != ',' && text->at[0] != ':')
			return false;
		if (text->at[0] == ',' && (text->len < 2 || text->at[1] != '@'))
			return false;
		*text = behind(*text, 1);
	}
	return true;
}

static bool has_utf8(struct text text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] >= 0x80)
			return true;
	return false;
}

/* Of a path whose address is whole: "postmaster" alone is one for recipients, RFC 5321 section 4.5.1. */
static bool is_postmaster(const struct path *path)
{
	return path->domain.len == 0 && path->local.len == 10 &&
	       strncasecmp(path->local.at, "postmaster", 10) == 0;
}

static int take_address(struct text *rest, struct path *ret)
{
	struct text start = *rest;
	size_t n = local_length(*rest);

	if (n == 0 || n > LOCAL_MAX_BYTES)
		return -EINVAL;
	ret->local = (struct text){ rest->at, n };
	*rest = behind(*rest, n);
	if (rest->len > 0 && rest->at[0] == '@') {
		n = domain_length(behind(*rest, 1));
		if (n == 0 || n > DOMAIN_MAX_BYTES)
			return -EINVAL;
		ret->domain = (struct text){ rest->at + 1, n };
		*rest = behind(*rest, n + 1);
	}
	ret->address = (struct text){ start.at, (size_t)(rest->at - start.at) };
	if (ret->domain.len > 0 && rest->len > 0 && rest->at[0] == '.')
		*rest = behind(*rest, 1);
	ret->utf8 = has_utf8(ret->address);
	return 0;
}

int path_parse(struct text text, bool null_ok, struct path *ret, struct text *ret_rest)
{
	struct path path = { .address = { "", 0 }, .local = { "", 0 }, .domain = { "", 0 } };
	struct text rest;
	int r = 0;

	if (text.len < 2 || text.at[0] != '<')
		return -EINVAL;
	rest = behind(text, 1);
	if (!skip_route(&rest))
		return -EINVAL;
	if (rest.len > 0 && rest.at[0] == '>')
		r = null_ok && rest.at == text.at + 1 ? 0 : -EINVAL;
	else
		r = take_address(&rest, &path);
	if (r < 0 || rest.len == 0 || rest.at[0] != '>' || path.address.len + 2 > PATH_MAX_BYTES)
		return -EINVAL;
	if (path.address.len > 0 && path.domain.len == 0 && (null_ok || !is_postmaster(&path)))
		return -EINVAL;
	*ret = path;
	*ret_rest = behind(rest, 1);
	return 0;
}

bool path_domain_fold(struct text domain, char out[static DOMAIN_MAX_BYTES + 1])
{
	if (domain.len > 0 && domain.at[domain.len - 1] == '.')
		domain.len--;
	if (domain.len > DOMAIN_MAX_BYTES)
		return false;
	for (size_t i = 0; i < domain.len; i++) {
		unsigned char c = (unsigned char)domain.at[i];

		out[i] = c < 0x80 ? (char)tolower(c) : (char)c;
	}
	out[domain.len] = '\0';
	return true;
}

bool path_is_host(struct text text)
{
	size_t n = domain_length(text);

	return n > 0 && n <= DOMAIN_MAX_BYTES &&
	       (n == text.len || (n + 1 == text.len && text.at[n] == '.'));
}
