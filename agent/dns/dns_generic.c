/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See dns_generic.h. */
#include "dns/dns_generic.h"

#include "dns/dns_name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { RUNS_MAX = 64, HEX_SUFFIX = 16, GROUPS = 8, GROUPS_ENOUGH = 4 };

struct runs { unsigned long at[RUNS_MAX]; size_t n; };	/* numbers in a name, in order */

static bool is_word_char(char c)
{
	return isalpha((unsigned char)c) != 0;
}

/* Length of @name without its last two labels. */
static size_t own_part(const char *name)
{
	size_t len = strlen(name);

	for (int dots = 0; len > 0; len--)
		if (name[len - 1] == '.' && ++dots == 2)
			return len - 1;
	return 0;
}

static void find_runs(const char *name, int base, struct runs *ret)
{
	ret->n = 0;
	while (*name && ret->n < RUNS_MAX) {
		size_t digits = base == 10 ? strspn(name, "0123456789")
					   : strspn(name, "0123456789abcdef");

		if (digits > 0 && digits <= 9)
			ret->at[ret->n++] = strtoul(name, NULL, base);
		else if (digits > 0)
			ret->at[ret->n++] = UINT32_MAX;
		name += digits ? digits : 1;
	}
}

static bool has_run(const struct runs *runs, const unsigned long *want, size_t n)
{
	for (size_t i = 0; i + n <= runs->n; i++)
		if (memcmp(&runs->at[i], want, n * sizeof *want) == 0)
			return true;
	return false;
}

/* "192-0-2-11", "11.2.0.192", "192000002011", "c000020b", "3221225995" */
static bool has_ipv4(const char *name, const uint8_t *octet)
{
	unsigned long forth[4], back[4];
	uint32_t number = (uint32_t)octet[0] << 24 | (uint32_t)octet[1] << 16 |
			  (uint32_t)octet[2] << 8 | octet[3];
	char text[24];
	struct runs runs;

	for (int i = 0; i < 4; i++)
		forth[i] = back[3 - i] = octet[i];
	find_runs(name, 10, &runs);
	if (has_run(&runs, forth, 4) || has_run(&runs, back, 4))
		return true;
	(void)snprintf(text, sizeof text, "%03u%03u%03u%03u", octet[0], octet[1], octet[2],
		       octet[3]);
	if (strstr(name, text))
		return true;
	(void)snprintf(text, sizeof text, "%08x", number);
	if (strstr(name, text))
		return true;
	(void)snprintf(text, sizeof text, "%u", number);
	return strlen(text) > 8 && strstr(name, text);
}

/* The last 16 hexadecimal digits in one piece, or groups one after the other, however separated. */
static bool has_ipv6(const char *name, const struct ip *ip)
{
	unsigned long groups[GROUPS];
	char hex[33];
	struct runs runs;

	for (size_t i = 0; i < 16; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", ip->octet[i]);
	if (strstr(name, hex + 32 - HEX_SUFFIX))
		return true;
	for (size_t i = 0; i < GROUPS; i++)
		groups[i] = (unsigned long)ip->octet[2 * i] << 8 | ip->octet[2 * i + 1];
	find_runs(name, 16, &runs);
	for (size_t i = 0; i + GROUPS_ENOUGH <= GROUPS; i++)
		if (has_run(&runs, groups + i, GROUPS_ENOUGH))
			return true;
	return false;
}

/* All of its nibbles, or "2001-db8--11". */
static bool has_ipv6_text(const char *name, const struct ip *ip)
{
	char text[DNS_REVERSED], dashed[IP_TEXT];

	dns_name_reversed(ip, text);
	if (strstr(name, text))
		return true;
	ip_print(ip, dashed);
	for (char *c = dashed; *c; c++)
		*c = *c == ':' ? '-' : *c;
	return strlen(dashed) > GROUPS && strstr(name, dashed);
}

/* A word by itself: "dsl" is in "dsl7-4.isp" and in "x.dsl.isp", not in "adslib.isp". */
static const char *find_word(const char *name)
{
	static const char *const words[] = {
		"adsl", "broadband", "cable", "catv", "client", "clients", "cpe", "cust",
		"customer", "customers", "dhcp", "dial", "dialin", "dialup", "dsl", "dyn",
		"dynamic", "dynamicip", "dynip", "fiber", "ftth", "gprs", "lte", "mobile", "nat",
		"pool", "pools", "ppp", "pppoe", "residential", "sdsl", "umts", "unassigned",
		"unknown", "user", "users", "vdsl", "wifi", "wlan", "xdsl",
	};

	for (const char *at = name; *at;) {
		size_t len = 0;

		while (is_word_char(at[len]))
			len++;
		for (size_t i = 0; len > 0 && i < ARRAY_LEN(words); i++)
			if (strlen(words[i]) == len && memcmp(at, words[i], len) == 0)
				return words[i];
		at += len ? len : 1;
	}
	return NULL;
}

bool dns_generic(const char *name, const struct ip *ip, char ret[static DNS_GENERIC])
{
	char own[DNS_NAME];
	const char *word;

	if (!dns_name_fold(name, own))
		return false;
	if (ip->len == 4 ? has_ipv4(own, ip->octet)
			 : has_ipv6(own, ip) || has_ipv6_text(own, ip)) {
		(void)snprintf(ret, DNS_GENERIC, "it has the address in it");
		return true;
	}
	own[own_part(own)] = '\0';
	word = find_word(own);
	if (word)
		(void)snprintf(ret, DNS_GENERIC, "it has the word '%s' in it", word);
	return word != NULL;
}
