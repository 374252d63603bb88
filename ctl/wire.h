/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a captured packet says of itself, as far as proofs and captures need it. Pure. Every byte is
 * hostile and may end anywhere: what cannot be read is not there.
 */
#pragma once

#include "base/types.h"

enum wire_link { WIRE_ETHERNET, WIRE_RAW, WIRE_COOKED };	/* WIRE_RAW: begins with the IP header */

enum { WIRE_FIN = 0x01, WIRE_SYN = 0x02, WIRE_RST = 0x04, WIRE_PUSH = 0x08, WIRE_ACK = 0x10 };
enum { WIRE_MAC_TEXT = 18 };

struct wire_packet {
	struct ip from, to;
	uint16_t from_port, to_port;		/* host order; 0 if the protocol has none, or of a fragment */
	uint8_t protocol;			/* IANA number, behind IPv6 extension headers */
	uint8_t hops;				/* TTL, hop limit */
	uint8_t flags;				/* TCP */
	uint32_t seq, ack;			/* TCP, host order */
	uint8_t type, code;			/* ICMP, ICMPv6 */
	size_t payload;				/* bytes behind the transport header, as IP has them */
	bool has_macs;
	uint8_t from_mac[6], to_mac[6];
};

/* Read a packet of @len captured bytes. False if it is not IPv4 or IPv6, or its header is cut. */
bool wire_read(enum wire_link link, const uint8_t *bytes, size_t len, struct wire_packet *ret);

/*
 * wire_read_error - the packet that an ICMP or ICMPv6 error is about
 * What the error quotes, as it was sent: addresses, protocol, ports, TCP sequence number. False if
 * @bytes is not an error, or quotes too little.
 */
bool wire_read_error(enum wire_link link, const uint8_t *bytes, size_t len,
		     struct wire_packet *ret);

/* "02:00:00:00:00:01" */
const char *wire_mac(const uint8_t mac[static 6], char out[static WIRE_MAC_TEXT]);

/* "port unreachable", "administratively prohibited", ...: of an error's type and code. Static text. */
const char *wire_error_text(enum family family, uint8_t type, uint8_t code);
