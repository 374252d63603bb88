/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Units and byte order in the type: a mark is never a bare integer, an address never a bare byte
 * array, so that what crosses into netlink is converted exactly once, in kernel/.
 */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stdint.h>

struct fwmark { uint32_t host; };		/* skb->mark or ct mark, host order; 0 = untagged */

struct ip {					/* address octets, network order as on the wire */
	uint8_t octet[16];
	uint8_t len;				/* 4 or 16; 0 = unset */
};

struct prefix {
	struct ip ip;				/* bits after @bits are zero */
	uint8_t bits;				/* 0..32 or 0..128 */
};

struct ip_range { struct ip first, last; };	/* inclusive, one family */
struct port_range { uint16_t first, last; };	/* inclusive, host order */
struct id_range { uint32_t first, last; };	/* inclusive uids or gids */

enum family { FAMILY_IPV4, FAMILY_IPV6, FAMILIES };

/* Bytes that ip_print(), prefix_print() and ip_print_port() need. */
enum { IP_TEXT = 46, PREFIX_TEXT = IP_TEXT + 4, IP_PORT_TEXT = IP_TEXT + 8 };

/*
 * ip_parse - read one address in text form
 * @text:   NUL-terminated; no port, no zone id, no surrounding space
 * @ret_ip: written only on success
 *
 * Strict inet_pton(3) syntax, RFC 4291 section 2.2 for IPv6. A v4-mapped address is refused: it
 * names an IPv4 node (RFC 4291 section 2.5.5.2), and here it would end up in an IPv6 map.
 *
 * Returns 0, -EINVAL (not an address) or -EAFNOSUPPORT (v4-mapped).
 */
MUST_CHECK int ip_parse(const char *text, struct ip *ret_ip);

/*
 * prefix_parse - read "ADDRESS/BITS", or an address alone as a host prefix
 *
 * Returns 0, -EINVAL (not a prefix), -EAFNOSUPPORT (v4-mapped) or -EDOM (bits set after the
 * prefix length; @ret_prefix then holds the prefix that was probably meant).
 */
MUST_CHECK int prefix_parse(const char *text, struct prefix *ret_prefix);

/* Text form (RFC 5952 for IPv6) into @out of IP_TEXT or PREFIX_TEXT bytes; returns @out. */
const char *ip_print(const struct ip *ip, char out[static IP_TEXT]);
const char *prefix_print(const struct prefix *prefix, char out[static PREFIX_TEXT]);

/* The same: "198.51.100.25:443" or "[2001:db8::25]:443". */
const char *ip_print_port(const struct ip *ip, uint16_t port, char out[static IP_PORT_TEXT]);

/* Order by family (IPv4 first), then by octets. */
int ip_compare(const struct ip *a, const struct ip *b);
bool ip_equal(const struct ip *a, const struct ip *b);
enum family ip_family(const struct ip *ip);
const char *ip_family_name(enum family family);	/* "ipv4" or "ipv6" */

/* Clear the bits after the first @bits; true if one of them was set. */
bool ip_clear_host_bits(struct ip *ip, unsigned bits);

/* Last address of a prefix; the first is prefix->ip. */
struct ip prefix_last(const struct prefix *prefix);
bool prefix_contains(const struct prefix *prefix, const struct ip *ip);
bool prefix_covers(const struct prefix *outer, const struct prefix *inner);
