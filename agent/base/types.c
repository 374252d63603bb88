/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and prefixes: parsing, printing, order. Pure. */
#include "base/types.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

int ip_parse(const char *text, struct ip *ret_ip)
{
	static const uint8_t v4mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct ip ip = { .len = 4 };

	if (inet_pton(AF_INET, text, ip.octet) == 1) {
		*ret_ip = ip;
		return 0;
	}
	ip.len = 16;
	if (inet_pton(AF_INET6, text, ip.octet) != 1)
		return -EINVAL;
	if (memcmp(ip.octet, v4mapped, sizeof v4mapped) == 0)
		return -EAFNOSUPPORT;
	*ret_ip = ip;
	return 0;
}

bool ip_clear_host_bits(struct ip *ip, unsigned bits)
{
	bool any = false;

	for (unsigned i = 0; i < ip->len; i++) {
		unsigned keep = bits <= i * 8 ? 0 : bits - i * 8 >= 8 ? 8 : bits - i * 8;
		uint8_t mask = (uint8_t)(0xff00u >> keep);

		any = any || (ip->octet[i] & ~mask & 0xff) != 0;
		ip->octet[i] &= mask;
	}
	return any;
}

int prefix_parse(const char *text, struct prefix *ret_prefix)
{
	char address[IP_TEXT];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct prefix prefix;
	unsigned bits = 0;
	int r;

	if (len >= sizeof address)
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	r = ip_parse(address, &prefix.ip);
	if (r < 0)
		return r;
	if (slash) {
		size_t digits = strspn(slash + 1, "0123456789");

		if (digits == 0 || digits > 3 || slash[1 + digits] != '\0' ||
		    (digits > 1 && slash[1] == '0'))
			return -EINVAL;
		for (size_t i = 1; i <= digits; i++)
			bits = bits * 10 + (unsigned)(slash[i] - '0');
	} else {
		bits = prefix.ip.len * 8u;
	}
	if (bits > prefix.ip.len * 8u)
		return -EINVAL;
	prefix.bits = (uint8_t)bits;
	r = ip_clear_host_bits(&prefix.ip, bits) ? -EDOM : 0;
	*ret_prefix = prefix;
	return r;
}

const char *ip_print(const struct ip *ip, char out[static IP_TEXT])
{
	if (!inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->octet, out, IP_TEXT))
		out[0] = '\0';
	return out;
}

const char *ip_print_port(const struct ip *ip, uint16_t port, char out[static IP_PORT_TEXT])
{
	char address[IP_TEXT];

	snprintf(out, IP_PORT_TEXT, ip->len == 4 ? "%s:%u" : "[%s]:%u", ip_print(ip, address),
		 port);
	return out;
}

const char *prefix_print(const struct prefix *prefix, char out[static PREFIX_TEXT])
{
	char address[IP_TEXT];

	ip_print(&prefix->ip, address);
	if (prefix->bits == prefix->ip.len * 8)
		snprintf(out, PREFIX_TEXT, "%s", address);
	else
		snprintf(out, PREFIX_TEXT, "%s/%u", address, prefix->bits);
	return out;
}

int ip_compare(const struct ip *a, const struct ip *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->octet, b->octet, a->len);
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return ip_compare(a, b) == 0;
}

enum family ip_family(const struct ip *ip)
{
	return ip->len == 4 ? FAMILY_IPV4 : FAMILY_IPV6;
}

const char *ip_family_name(enum family family)
{
	return family == FAMILY_IPV4 ? "ipv4" : "ipv6";
}

struct ip prefix_last(const struct prefix *prefix)
{
	struct ip last = prefix->ip;

	for (unsigned bit = prefix->bits; bit < last.len * 8u; bit++)
		last.octet[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
	return last;
}

bool prefix_contains(const struct prefix *prefix, const struct ip *ip)
{
	struct ip cut = *ip;

	if (ip->len != prefix->ip.len)
		return false;
	ip_clear_host_bits(&cut, prefix->bits);
	return ip_equal(&cut, &prefix->ip);
}

bool prefix_covers(const struct prefix *outer, const struct prefix *inner)
{
	return outer->bits <= inner->bits && prefix_contains(outer, &inner->ip);
}
