/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See wire.h. Formats: RFC 791, 8200, 9293, 768, 792, 4443; IEEE 802.1Q tags; LINKTYPE_LINUX_SLL of
 * libpcap.
 */
#include "wire.h"

#include "base/own.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { ETHERTYPE_4 = 0x0800, ETHERTYPE_6 = 0x86dd, TAG_C = 0x8100, TAG_S = 0x88a8, TAGS_MAX = 2,
       COOKED_BYTES = 16, EXTENSIONS_MAX = 8 };

struct bytes { const uint8_t *at; size_t len; };

static bool skip(struct bytes *bytes, size_t n)
{
	if (bytes->len < n)
		return false;
	bytes->at += n;
	bytes->len -= n;
	return true;
}

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)be16(at) << 16 | be16(at + 2);
}

static bool skip_ethernet(struct bytes *bytes, struct wire_packet *ret)
{
	uint16_t kind;

	if (bytes->len < 14)
		return false;
	memcpy(ret->to_mac, bytes->at, 6);
	memcpy(ret->from_mac, bytes->at + 6, 6);
	ret->has_macs = true;
	kind = be16(bytes->at + 12);
	(void)skip(bytes, 14);
	for (int i = 0; i < TAGS_MAX && (kind == TAG_C || kind == TAG_S); i++) {
		if (bytes->len < 4)
			return false;
		kind = be16(bytes->at + 2);
		(void)skip(bytes, 4);
	}
	return kind == ETHERTYPE_4 || kind == ETHERTYPE_6;
}

static bool skip_link(enum wire_link link, struct bytes *bytes, struct wire_packet *ret)
{
	switch (link) {
	case WIRE_ETHERNET:
		return skip_ethernet(bytes, ret);
	case WIRE_COOKED:
		return skip(bytes, COOKED_BYTES);
	case WIRE_RAW:
		return true;
	}
	return false;
}

static struct ip read_ip(const uint8_t *at, uint8_t len)
{
	struct ip ip = { .len = len };

	memcpy(ip.octet, at, len);
	return ip;
}

/* The header of IPv4; *ret_rest is what the datagram has behind it, cut or not. */
static bool skip_ipv4(struct bytes *bytes, struct wire_packet *ret, size_t *ret_rest,
		      bool *ret_first)
{
	size_t header, total;

	if (bytes->len < 20)
		return false;
	header = (size_t)(bytes->at[0] & 15) * 4;
	total = be16(bytes->at + 2);
	if (header < 20)
		return false;
	ret->hops = bytes->at[8];
	ret->protocol = bytes->at[9];
	ret->from = read_ip(bytes->at + 12, 4);
	ret->to = read_ip(bytes->at + 16, 4);
	*ret_first = (be16(bytes->at + 6) & 0x1fff) == 0;
	*ret_rest = total > header ? total - header : 0;
	return skip(bytes, header);
}

/* Hop-by-hop, routing and destination options, and a fragment's header. */
static bool skip_extensions(struct bytes *bytes, struct wire_packet *ret, size_t *rest,
			    bool *ret_first)
{
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		size_t len;

		if (ret->protocol != 0 && ret->protocol != 43 && ret->protocol != 44 &&
		    ret->protocol != 60)
			return true;
		if (bytes->len < 8)
			return false;
		len = ret->protocol == 44 ? 8 : ((size_t)bytes->at[1] + 1) * 8;
		if (ret->protocol == 44 && (be16(bytes->at + 2) & 0xfff8) != 0)
			*ret_first = false;
		ret->protocol = bytes->at[0];
		*rest -= *rest > len ? len : *rest;
		if (!skip(bytes, len))
			return false;
	}
	return false;
}

static bool skip_ipv6(struct bytes *bytes, struct wire_packet *ret, size_t *ret_rest,
		      bool *ret_first)
{
	if (bytes->len < 40)
		return false;
	*ret_rest = be16(bytes->at + 4);
	ret->protocol = bytes->at[6];
	ret->hops = bytes->at[7];
	ret->from = read_ip(bytes->at + 8, 16);
	ret->to = read_ip(bytes->at + 24, 16);
	*ret_first = true;
	(void)skip(bytes, 40);
	return skip_extensions(bytes, ret, ret_rest, ret_first);
}

static void read_tcp(const struct bytes *bytes, struct wire_packet *ret)
{
	if (bytes->len >= 8)
		ret->seq = be32(bytes->at + 4);
	if (bytes->len < 20)
		return;
	ret->ack = be32(bytes->at + 8);
	ret->flags = bytes->at[13];
	ret->payload -= (size_t)(bytes->at[12] >> 4) * 4 < ret->payload
				? (size_t)(bytes->at[12] >> 4) * 4 : ret->payload;
}

static void read_transport(const struct bytes *bytes, struct wire_packet *ret)
{
	if ((ret->protocol == IPPROTO_ICMP || ret->protocol == IPPROTO_ICMPV6) && bytes->len >= 2) {
		ret->type = bytes->at[0];
		ret->code = bytes->at[1];
		return;
	}
	if (bytes->len < 4 || (ret->protocol != IPPROTO_TCP && ret->protocol != IPPROTO_UDP &&
			       ret->protocol != 132 && ret->protocol != 33 && ret->protocol != 136))
		return;
	ret->from_port = be16(bytes->at);
	ret->to_port = be16(bytes->at + 2);
	if (ret->protocol == IPPROTO_TCP)
		read_tcp(bytes, ret);
	else if (ret->protocol == IPPROTO_UDP)
		ret->payload -= ret->payload > 8 ? 8 : ret->payload;
}

/* An IP packet; *bytes then begins behind its IP headers. */
static bool read_packet(struct bytes *bytes, struct wire_packet *ret)
{
	size_t rest = 0;
	bool first = true;
	uint8_t version = bytes->len > 0 ? bytes->at[0] >> 4 : 0;

	if (version == 4 ? !skip_ipv4(bytes, ret, &rest, &first)
			 : version != 6 || !skip_ipv6(bytes, ret, &rest, &first))
		return false;
	ret->payload = rest;
	if (first)
		read_transport(bytes, ret);
	return true;
}

bool wire_read(enum wire_link link, const uint8_t *bytes, size_t len, struct wire_packet *ret)
{
	struct bytes left = { bytes, len };

	*ret = (struct wire_packet){ 0 };
	return skip_link(link, &left, ret) && read_packet(&left, ret);
}

static bool is_error(const struct wire_packet *packet)
{
	if (packet->protocol == IPPROTO_ICMP)
		return packet->type == 3 || packet->type == 11 || packet->type == 12;
	return packet->protocol == IPPROTO_ICMPV6 && packet->type >= 1 && packet->type <= 4;
}

bool wire_read_error(enum wire_link link, const uint8_t *bytes, size_t len,
		     struct wire_packet *ret)
{
	struct bytes left = { bytes, len };
	struct wire_packet outer = { 0 };

	*ret = (struct wire_packet){ 0 };
	return skip_link(link, &left, &outer) && read_packet(&left, &outer) && is_error(&outer) &&
	       skip(&left, 8) && read_packet(&left, ret) && ret->from.len == outer.to.len;
}

const char *wire_mac(const uint8_t mac[static 6], char out[static WIRE_MAC_TEXT])
{
	snprintf(out, WIRE_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return out;
}

const char *wire_error_text(enum family family, uint8_t type, uint8_t code)
{
	static const struct { uint8_t family, type, code; const char *text; } known[] = {
		{ FAMILY_IPV4, 3, 0, "network unreachable" },
		{ FAMILY_IPV4, 3, 1, "host unreachable" },
		{ FAMILY_IPV4, 3, 2, "protocol unreachable" },
		{ FAMILY_IPV4, 3, 3, "port unreachable" },
		{ FAMILY_IPV4, 3, 4, "fragmentation needed" },
		{ FAMILY_IPV4, 3, 9, "network prohibited" },
		{ FAMILY_IPV4, 3, 10, "host prohibited" },
		{ FAMILY_IPV4, 3, 13, "administratively prohibited" },
		{ FAMILY_IPV4, 11, 0, "time exceeded in transit" },
		{ FAMILY_IPV6, 1, 0, "no route" },
		{ FAMILY_IPV6, 1, 1, "administratively prohibited" },
		{ FAMILY_IPV6, 1, 3, "address unreachable" },
		{ FAMILY_IPV6, 1, 4, "port unreachable" },
		{ FAMILY_IPV6, 1, 5, "source address refused by policy" },
		{ FAMILY_IPV6, 1, 6, "route rejected" },
		{ FAMILY_IPV6, 2, 0, "packet too big" },
		{ FAMILY_IPV6, 3, 0, "hop limit exceeded in transit" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].family == family && known[i].type == type && known[i].code == code)
			return known[i].text;
	return "an error";
}
