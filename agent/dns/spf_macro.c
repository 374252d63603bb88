/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See spf_macro.h. Checking and expanding walk the text by the same steps. */
#include "dns/spf_macro.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* What expands is cut at the front to DNS_NAME; what is longer than this is cut at its end before. */
enum { EXPANDED_MAX = 4096, PARTS_MAX = 128, VALUE_MAX = 512 };

struct macro {					/* one step of the text */
	char letter;				/* lower case; 0: what is in literal */
	char literal[4];
	bool escape, reverse;			/* upper case letter; r */
	unsigned keep;				/* so many parts from the right; 0: all */
	char delimiters[8];			/* "" is "." */
};

struct expansion { char at[EXPANDED_MAX]; size_t len; };

static bool is_literal(char c)
{
	return c >= 0x21 && c <= 0x7e && c != '%';
}

/* "%{" is behind us: letter, digits, r, delimiters, "}". */
static int read_braces(const char **at, const char *end, struct macro *ret)
{
	const char *c = *at, *digits;
	size_t n = 0;

	if (c == end || !isalpha((unsigned char)*c) ||
	    !strchr("slodiphv", tolower((unsigned char)*c)))
		return -EINVAL;			/* c, r and t are for explanations only */
	ret->letter = (char)tolower((unsigned char)*c);
	ret->escape = isupper((unsigned char)*c++) != 0;
	for (digits = c; c < end && isdigit((unsigned char)*c); c++)
		ret->keep = ret->keep > PARTS_MAX ? ret->keep
						  : ret->keep * 10 + (unsigned)(*c - '0');
	if (c > digits && ret->keep == 0)
		return -EINVAL;
	if (c < end && (*c == 'r' || *c == 'R')) {
		ret->reverse = true;
		c++;
	}
	for (; c < end && *c && strchr(".-+,/_=", *c); c++)
		if (n < sizeof ret->delimiters - 1 && !strchr(ret->delimiters, *c))
			ret->delimiters[n++] = *c;
	if (c == end || *c != '}')
		return -EINVAL;
	*at = c + 1;
	return 1;
}

/* The next step of what is from *@at to @end; 1, 0 at the end, or -EINVAL. */
static int next(const char **at, const char *end, struct macro *ret)
{
	const char *c = *at;

	*ret = (struct macro){ 0 };
	if (c == end)
		return 0;
	if (*c != '%') {
		ret->literal[0] = *c;
		*at = c + 1;
		return is_literal(*c) ? 1 : -EINVAL;
	}
	if (end - c < 2)
		return -EINVAL;
	*at = c + 2;
	switch (c[1]) {
	case '%':
		strcpy(ret->literal, "%");
		return 1;
	case '_':
		strcpy(ret->literal, " ");
		return 1;
	case '-':
		strcpy(ret->literal, "%20");
		return 1;
	case '{':
		return read_braces(at, end, ret);
	default:
		return -EINVAL;
	}
}

int spf_macro_check_text(const struct spf_text *text)
{
	const char *at = text->at, *end = at + text->len;
	struct macro macro;
	int r;

	while ((r = next(&at, end, &macro)) > 0)
		;
	return r;
}

/* section 12: toplabel = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum ) */
static bool is_top_label(const char *at, size_t len)
{
	bool not_number = false;

	if (len == 0 || at[0] == '-' || at[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)at[i]) && at[i] != '-')
			return false;
		not_number |= !isdigit((unsigned char)at[i]);
	}
	return not_number;
}

/* section 7.1: a domain-spec ends with a macro, or with a dot and a top label. */
int spf_macro_check(const struct spf_text *text)
{
	const char *at = text->at, *end = at + text->len, *tail = at, *dot;
	struct macro macro;
	int r;

	for (;;) {
		bool is_macro = at < end && *at == '%';

		r = next(&at, end, &macro);
		if (r <= 0)
			break;
		tail = is_macro ? at : tail;
	}
	if (r < 0 || text->len == 0)
		return -EINVAL;
	if (tail == end)
		return 0;
	end -= end[-1] == '.';
	dot = end > tail ? memrchr(tail, '.', (size_t)(end - tail)) : NULL;
	return dot && is_top_label(dot + 1, (size_t)(end - dot) - 1) ? 0 : -EINVAL;
}

bool spf_macro_needs_name(const struct spf_text *text)
{
	const char *at = text->at, *end = at + text->len;
	struct macro macro;

	while (text->at && next(&at, end, &macro) > 0)
		if (macro.letter == 'p')
			return true;
	return false;
}

static void value_of(char letter, const struct spf_values *values, char ret[static VALUE_MAX])
{
	char text[IP_TEXT];

	switch (letter) {
	case 's':
		(void)snprintf(ret, VALUE_MAX, "postmaster@%s", values->sender);
		break;
	case 'l':
		(void)snprintf(ret, VALUE_MAX, "postmaster");
		break;
	case 'o':
		(void)snprintf(ret, VALUE_MAX, "%s", values->sender);
		break;
	case 'd':
		(void)snprintf(ret, VALUE_MAX, "%s", values->domain);
		break;
	case 'i':
		if (values->ip->len == 4)
			(void)snprintf(ret, VALUE_MAX, "%s", ip_print(values->ip, text));
		else
			for (size_t i = 0; i < 32; i++)
				(void)snprintf(ret + 2 * i, 3, i < 31 ? "%x." : "%x",
					       values->ip->octet[i / 2] >> (i % 2 ? 0 : 4) & 15);
		break;
	case 'p':
		(void)snprintf(ret, VALUE_MAX, "%s", values->name);
		break;
	case 'v':
		(void)snprintf(ret, VALUE_MAX, "%s", values->ip->len == 4 ? "in-addr" : "ip6");
		break;
	default:
		(void)snprintf(ret, VALUE_MAX, "%s", values->helo);
		break;
	}
}

static void append(struct expansion *to, const char *text, size_t len, bool escape)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = !escape || isalnum(c) || strchr("-._~", c);

		if (to->len + 4 > sizeof to->at)
			return;
		if (plain)
			to->at[to->len++] = text[i];
		else
			to->len += (size_t)snprintf(to->at + to->len, 4, "%%%02X", c);
	}
}

/* section 7.3: split, turn round, keep the rightmost, join with dots. */
static void append_parts(struct expansion *to, const struct macro *macro, const char *value)
{
	const char *delimiters = macro->delimiters[0] ? macro->delimiters : ".";
	struct spf_text parts[PARTS_MAX];
	size_t n = 0, first;

	for (const char *at = value; n < PARTS_MAX;) {
		parts[n].at = at;
		parts[n].len = strcspn(at, delimiters);
		at += parts[n++].len;
		if (!*at++)
			break;
	}
	first = macro->keep > 0 && macro->keep < n ? n - macro->keep : 0;
	for (size_t i = first; i < n; i++) {
		const struct spf_text *part = &parts[macro->reverse ? n - 1 - i : i];

		if (i > first)
			append(to, ".", 1, false);
		append(to, part->at, part->len, macro->escape);
	}
}

void spf_macro_expand(const struct spf_text *text, const struct spf_values *values,
		      char ret[static DNS_NAME])
{
	const char *at = text->at, *end = at + text->len;
	struct expansion expansion = { .len = 0 };
	char value[VALUE_MAX], *name = expansion.at;
	struct macro macro;

	while (next(&at, end, &macro) > 0) {
		if (!macro.letter) {
			append(&expansion, macro.literal, strlen(macro.literal), false);
			continue;
		}
		value_of(macro.letter, values, value);
		append_parts(&expansion, &macro, value);
	}
	expansion.at[expansion.len] = '\0';
	if (expansion.len > 0 && expansion.at[expansion.len - 1] == '.')
		expansion.at[--expansion.len] = '\0';
	while (strlen(name) >= DNS_NAME) {
		char *dot = strchr(name, '.');

		if (!dot)
			break;
		name = dot + 1;
	}
	(void)snprintf(ret, DNS_NAME, "%.*s", DNS_NAME - 1, name);
}
