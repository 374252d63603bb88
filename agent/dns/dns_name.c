/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See dns_name.h. */
#include "dns/dns_name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LABEL_MAX = 63 };

bool dns_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= DNS_NAME)
		return false;
	for (;;) {
		size_t label = strcspn(name, ".");

		if (label == 0 || label > LABEL_MAX)
			return false;
		if (!name[label])
			return true;
		name += label + 1;
	}
}

bool dns_name_fold(const char *name, char ret[static DNS_NAME])
{
	size_t len = strlen(name);

	ret[0] = '\0';
	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len >= DNS_NAME)
		return false;
	for (size_t i = 0; i < len; i++)
		ret[i] = (char)tolower((unsigned char)name[i]);
	ret[len] = '\0';
	return true;
}

bool dns_name_under(const char *name, const char *domain)
{
	size_t len = strlen(name), below = strlen(domain);

	if (len < below || strcasecmp(name + len - below, domain) != 0)
		return false;
	return len == below || name[len - below - 1] == '.';
}

void dns_name_reversed(const struct ip *ip, char ret[static DNS_REVERSED])
{
	static const char digits[] = "0123456789abcdef";

	if (ip->len == 4) {
		(void)snprintf(ret, DNS_REVERSED, "%u.%u.%u.%u", ip->octet[3], ip->octet[2],
			       ip->octet[1], ip->octet[0]);
		return;
	}
	for (size_t i = 0; i < 16; i++) {
		uint8_t octet = ip->octet[15 - i];

		*ret++ = digits[octet & 15];
		*ret++ = '.';
		*ret++ = digits[octet >> 4];
		*ret++ = i < 15 ? '.' : '\0';
	}
}

bool dns_name_in_zone(const struct ip *ip, const char *zone, char ret[static DNS_NAME])
{
	char reversed[DNS_REVERSED];
	int n;

	dns_name_reversed(ip, reversed);
	n = snprintf(ret, DNS_NAME, "%s.%s", reversed, zone);
	return n > 0 && n < DNS_NAME;
}

void dns_name_of_ip(const struct ip *ip, char ret[static DNS_NAME])
{
	(void)dns_name_in_zone(ip, ip->len == 4 ? "in-addr.arpa" : "ip6.arpa", ret);
}
