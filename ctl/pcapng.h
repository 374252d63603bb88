/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing pcapng, as far as captures of outbind need it: IP packets, a comment with each, how many were
 * lost. libpcap cannot write comments. Pure: blocks are appended to memory.
 *
 * The format is draft-ietf-opsawg-pcapng: one section, in the byte order of this host.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcapng { uint8_t *at; size_t n, room; };	/* zero: empty */

struct pcapng_packet {
	uint32_t interface;			/* index in the order of pcapng_interface() */
	uint64_t when_ns;			/* since 1970 */
	const uint8_t *bytes;			/* from the IP header on */
	size_t len, whole_len;			/* captured; as it was sent, not less */
	bool out;
	const char *comment;
};

void pcapng_drop(struct pcapng *out);

/* The head of a file. @program: who writes it. */
void pcapng_begin(struct pcapng *out, const char *program);

/* An interface of IP packets of either family. @snap: bytes captured of each at most. */
void pcapng_interface(struct pcapng *out, const char *name, const char *description, uint32_t snap);

void pcapng_packet(struct pcapng *out, const struct pcapng_packet *packet);

/* How many packets an interface had and how many were lost; at the end. */
void pcapng_statistics(struct pcapng *out, uint32_t interface, uint64_t when_ns, uint64_t received,
		       uint64_t lost);
