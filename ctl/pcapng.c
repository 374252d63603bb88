/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See pcapng.h. Not LINKTYPE_RAW, though these are raw IP packets: libpcap 1.10 (sf-pcapng.c) compares the
 * number of a second interface with its own one for the first, and for raw IP, of all, they differ: it
 * reads no file that has two. LINKTYPE_LINUX_SLL is the same number everywhere, for IPv4 and IPv6.
 */
#include "pcapng.h"

#include "base/mem.h"
#include "base/own.h"

#include <string.h>

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, STATISTICS = 5, PACKET = 6, ORDER_MAGIC = 0x1a2b3c4d,
       LINKTYPE_LINUX_SLL = 113, NANOSECONDS = 9 };
/* options; numbers are those of each block */
enum { OPTION_END = 0, OPTION_COMMENT = 1, SECTION_PROGRAM = 4, INTERFACE_NAME = 2,
       INTERFACE_DESCRIPTION = 3, INTERFACE_RESOLUTION = 9, PACKET_FLAGS = 2,
       STATISTICS_RECEIVED = 4, STATISTICS_DROPPED = 5 };
/* https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html; all in network byte order */
enum { COOKED_BYTES = 16, COOKED_TO_US = 0, COOKED_BY_US = 4, COOKED_WAY = 1, COOKED_DEVICE = 2,
       COOKED_PROTOCOL = 14, ETHERTYPE_4 = 0x0800, ETHERTYPE_6 = 0x86dd };
enum { INBOUND = 1, OUTBOUND = 2, OPTION_MAX = 65535 };

void pcapng_drop(struct pcapng *out)
{
	free(out->at);
	*out = (struct pcapng){ 0 };
}

static void put(struct pcapng *out, const void *bytes, size_t len)
{
	static const uint8_t zero[3];
	size_t pad = (4 - len % 4) % 4;

	if (len + pad == 0)
		return;
	out->at = mem_grow(out->at, &out->room, out->n + len + pad, 1);
	if (len)
		memcpy(out->at + out->n, bytes, len);
	memcpy(out->at + out->n + len, zero, pad);
	out->n += len + pad;
}

static void put32(struct pcapng *out, uint32_t value)
{
	put(out, &value, sizeof value);
}

static void put_time(struct pcapng *out, uint64_t when)
{
	put32(out, (uint32_t)(when >> 32));
	put32(out, (uint32_t)when);
}

static void put_option(struct pcapng *out, uint16_t code, const void *bytes, size_t len)
{
	uint16_t head[] = { code, (uint16_t)(len < OPTION_MAX ? len : OPTION_MAX) };

	put(out, head, sizeof head);
	put(out, bytes, head[1]);
}

static void put_text(struct pcapng *out, uint16_t code, const char *text)
{
	put_option(out, code, text, strlen(text));
}

/* Start a block; its length stands at both ends, and end_block() writes it. */
static size_t begin_block(struct pcapng *out, uint32_t kind)
{
	size_t start = out->n;

	put32(out, kind);
	put32(out, 0);
	return start;
}

static void end_block(struct pcapng *out, size_t start)
{
	uint32_t len;

	put_option(out, OPTION_END, NULL, 0);
	len = (uint32_t)(out->n - start + sizeof len);
	put32(out, len);
	memcpy(out->at + start + sizeof len, &len, sizeof len);
}

void pcapng_begin(struct pcapng *out, const char *program)
{
	static const uint16_t version[] = { 1, 0 };
	static const uint64_t unknown = UINT64_MAX;
	size_t start = begin_block(out, SECTION);

	put32(out, ORDER_MAGIC);
	put(out, version, sizeof version);
	put(out, &unknown, sizeof unknown);
	put_text(out, SECTION_PROGRAM, program);
	end_block(out, start);
}

void pcapng_interface(struct pcapng *out, const char *name, const char *description, uint32_t snap)
{
	static const uint16_t link[] = { LINKTYPE_LINUX_SLL, 0 };
	static const uint8_t resolution = NANOSECONDS;
	size_t start = begin_block(out, INTERFACE);

	put(out, link, sizeof link);
	put32(out, COOKED_BYTES + snap);
	put_text(out, INTERFACE_NAME, name);
	put_text(out, INTERFACE_DESCRIPTION, description);
	put_option(out, INTERFACE_RESOLUTION, &resolution, sizeof resolution);
	end_block(out, start);
}

/* No device's own kind and no address; the way, and the protocol as the packet itself has it. */
static void put_cooked(struct pcapng *out, const struct pcapng_packet *packet)
{
	uint8_t version = packet->len > 0 ? packet->bytes[0] >> 4 : 0;
	int protocol = version == 4 ? ETHERTYPE_4 : version == 6 ? ETHERTYPE_6 : 0;
	uint8_t head[COOKED_BYTES] = {
		[COOKED_WAY] = packet->out ? COOKED_BY_US : COOKED_TO_US,
		[COOKED_DEVICE] = 0xff, [COOKED_DEVICE + 1] = 0xfe,	/* ARPHRD_NONE */
		[COOKED_PROTOCOL] = (uint8_t)(protocol >> 8),
		[COOKED_PROTOCOL + 1] = (uint8_t)protocol,
	};

	put(out, head, sizeof head);
}

void pcapng_packet(struct pcapng *out, const struct pcapng_packet *packet)
{
	uint32_t flags = packet->out ? OUTBOUND : INBOUND;
	size_t start = begin_block(out, PACKET);

	put32(out, packet->interface);
	put_time(out, packet->when_ns);
	put32(out, COOKED_BYTES + (uint32_t)packet->len);
	put32(out, COOKED_BYTES + (uint32_t)packet->whole_len);
	put_cooked(out, packet);
	put(out, packet->bytes, packet->len);
	put_text(out, OPTION_COMMENT, packet->comment);
	put_option(out, PACKET_FLAGS, &flags, sizeof flags);
	end_block(out, start);
}

void pcapng_statistics(struct pcapng *out, uint32_t interface, uint64_t when_ns, uint64_t received,
		       uint64_t lost)
{
	size_t start = begin_block(out, STATISTICS);

	put32(out, interface);
	put_time(out, when_ns);
	put_option(out, STATISTICS_RECEIVED, &received, sizeof received);
	put_option(out, STATISTICS_DROPPED, &lost, sizeof lost);
	end_block(out, start);
}
