/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See proxy_parse.h. Only TCP over IPv4 or IPv6 on behalf of somebody: LOCAL has no destination
 * to be called.
 */
#include "relay/proxy_parse.h"

#include <string.h>

enum {
	FIXED = 16,
	TLV_AUTHORITY = 0x02,
	TLV_BINDING = 0xe0,
	PROXY_COMMAND = 0x21,
	TCP4 = 0x11,
	TCP6 = 0x21
};

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static uint16_t take16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static struct ip take_ip(const uint8_t *at, uint8_t len)
{
	struct ip ip = { .len = len };

	memcpy(ip.octet, at, len);
	return ip;
}

/* The name of a binding in a TLV's value; false if it cannot be one. */
static bool take_name(const uint8_t *at, size_t len, struct proxy_header *ret)
{
	if (len == 0 || len >= sizeof ret->binding || memchr(at, '\0', len))
		return false;
	memcpy(ret->binding, at, len);
	ret->binding[len] = '\0';
	return true;
}

/*
 * The name of a binding among the TLVs; the one of our own type wins. A name that no binding can have is not
 * one that is not there: the connection would go by its source address, against the client's word.
 */
static bool take_names(const uint8_t *at, size_t n, struct proxy_header *ret)
{
	bool own = false, bad = false;

	while (n > 0) {
		size_t len;

		if (n < 3 || n - 3 < take16(at + 1))
			return false;
		len = take16(at + 1);
		if (at[0] == TLV_BINDING) {
			if (!take_name(at + 3, len, ret))
				return false;
			own = true;
		} else if (at[0] == TLV_AUTHORITY && !own && len > 0) {
			bad = !take_name(at + 3, len, ret);
		}
		at += 3 + len;
		n -= 3 + len;
	}
	return own || !bad;
}

int proxy_parse(const uint8_t *at, size_t n, struct proxy_header *ret)
{
	struct proxy_header header = { 0 };
	size_t len, addresses;
	uint8_t size;

	if (memcmp(at, signature, n < sizeof signature ? n : sizeof signature) != 0)
		return -EINVAL;
	if (n < FIXED)
		return 0;
	len = take16(at + 14);
	if (at[12] != PROXY_COMMAND || (at[13] != TCP4 && at[13] != TCP6) ||
	    len > PROXY_HEADER_MAX - FIXED)
		return -EINVAL;
	size = at[13] == TCP4 ? 4 : 16;
	addresses = 2 * (size_t)size + 4;
	if (len < addresses)
		return -EINVAL;
	if (n < FIXED + len)
		return 0;
	header.source = take_ip(at + FIXED, size);
	header.destination = take_ip(at + FIXED + size, size);
	header.source_port = take16(at + FIXED + 2 * size);
	header.destination_port = take16(at + FIXED + 2 * size + 2);
	if (header.destination_port == 0 ||
	    !take_names(at + FIXED + addresses, len - addresses, &header))
		return -EINVAL;
	header.len = FIXED + len;
	*ret = header;
	return 1;
}
