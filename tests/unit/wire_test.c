/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Captured bytes to packets; every prefix of every packet, and noise, is read without harm. */
#include "../../ctl/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define MACS	"\x02\0\0\0\0\x02" "\x02\0\0\0\0\x01"
#define FROM4	"\xc6\x33\x64\x0b"
#define TO4	"\xcb\0\x71\x01"
#define IPV4(len, protocol, hops) \
	"\x45\0\0" len "\0\0\x40\0" hops protocol "\0\0" FROM4 TO4
#define FROM6	"\x20\x01\x0d\xb8\0\x01\0\0\0\0\0\0\0\0\0\x11"
#define TO6	"\x20\x01\x0d\xb8\0\x02\0\0\0\0\0\0\0\0\0\x01"
#define IPV6(len, next, hops)	"\x60\0\0\0\0" len next hops FROM6 TO6
#define TCP(flags)	"\x9c\x40\x1b\x58" "\0\0\x01\0" "\0\0\x02\0" "\x50" flags "\x01\0\0\0\0\0"

static const struct row {
	const char *what;
	enum wire_link link;
	const char *bytes;
	size_t len;
	bool read;
	const char *from, *to;
	unsigned from_port, to_port, protocol, hops, flags;
	size_t payload;
} rows[] = {
#define BYTES(text)	text, sizeof(text) - 1
	{ "a SYN over Ethernet", WIRE_ETHERNET, BYTES(MACS "\x08\0" IPV4("\x28", "\x06", "\x81") TCP("\x02")),
	  true, "198.51.100.11", "203.0.113.1", 40000, 7000, 6, 129, WIRE_SYN, 0 },
	{ "the same with a VLAN tag", WIRE_ETHERNET,
	  BYTES(MACS "\x81\0\0\x05\x08\0" IPV4("\x28", "\x06", "\x81") TCP("\x02")),
	  true, "198.51.100.11", "203.0.113.1", 40000, 7000, 6, 129, WIRE_SYN, 0 },
	{ "three tags are too many", WIRE_ETHERNET,
	  BYTES(MACS "\x88\xa8\0\x05\x81\0\0\x05\x81\0\0\x05\x08\0" IPV4("\x28", "\x06", "\x81") TCP("\x02")),
	  false, NULL, NULL, 0, 0, 0, 0, 0, 0 },
	{ "cooked", WIRE_COOKED, BYTES("\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x08\0" IPV4("\x28", "\x06", "\x81") TCP("\x12")),
	  true, "198.51.100.11", "203.0.113.1", 40000, 7000, 6, 129, WIRE_SYN | WIRE_ACK, 0 },
	{ "data over IPv6", WIRE_RAW, BYTES(IPV6("\x17", "\x06", "\x40") TCP("\x18") "abc"),
	  true, "2001:db8:1::11", "2001:db8:2::1", 40000, 7000, 6, 64, WIRE_PUSH | WIRE_ACK, 3 },
	{ "behind a hop-by-hop header", WIRE_RAW,
	  BYTES(IPV6("\x1c", "\0", "\x40") "\x06\0\0\0\0\0\0\0" TCP("\x02")),
	  true, "2001:db8:1::11", "2001:db8:2::1", 40000, 7000, 6, 64, WIRE_SYN, 0 },
	{ "a later fragment has no ports", WIRE_RAW,
	  BYTES(IPV6("\x1c", "\x2c", "\x40") "\x06\0\x01\0\0\0\0\0" TCP("\x02")),
	  true, "2001:db8:1::11", "2001:db8:2::1", 0, 0, 6, 64, 0, 20 },
	{ "UDP", WIRE_RAW, BYTES(IPV4("\x1e", "\x11", "\x40") "\x9c\x40\0\x35\0\x0a\0\0hi"),
	  true, "198.51.100.11", "203.0.113.1", 40000, 53, 17, 64, 0, 2 },
	{ "ARP is not IP", WIRE_ETHERNET, BYTES(MACS "\x08\x06" "0000000000000000000000000000"),
	  false, NULL, NULL, 0, 0, 0, 0, 0, 0 },
	{ "a header length of less than a header", WIRE_RAW, BYTES("\x44\0\0\x28\0\0\0\0\x40\x06\0\0" FROM4 TO4),
	  false, NULL, NULL, 0, 0, 0, 0, 0, 0 },
	{ "nothing", WIRE_RAW, "", 0, false, NULL, NULL, 0, 0, 0, 0, 0, 0 },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct wire_packet got;
		char text[IP_TEXT];

		print_message("%s\n", row->what);
		assert_int_equal(wire_read(row->link, (const uint8_t *)row->bytes, row->len, &got),
				 row->read);
		if (!row->read)
			continue;
		assert_string_equal(ip_print(&got.from, text), row->from);
		assert_string_equal(ip_print(&got.to, text), row->to);
		assert_int_equal(got.from_port, row->from_port);
		assert_int_equal(got.to_port, row->to_port);
		assert_int_equal(got.protocol, row->protocol);
		assert_int_equal(got.hops, row->hops);
		assert_int_equal(got.flags, row->flags);
		assert_int_equal(got.payload, row->payload);
		assert_int_equal(got.has_macs, row->link == WIRE_ETHERNET);
		if (got.flags) {
			assert_int_equal(got.seq, 256);
			assert_int_equal(got.ack, 512);
		}
	}
}

static void test_macs(void **state)
{
	struct wire_packet got;
	char text[WIRE_MAC_TEXT];

	(void)state;
	assert_true(wire_read(WIRE_ETHERNET, (const uint8_t *)rows[0].bytes, rows[0].len, &got));
	assert_string_equal(wire_mac(got.from_mac, text), "02:00:00:00:00:01");
	assert_string_equal(wire_mac(got.to_mac, text), "02:00:00:00:00:02");
}

static void test_errors(void **state)
{
	static const char error4[] = "\x45\0\0\x38\0\0\0\0\x40\x01\0\0" TO4 FROM4 "\x03\x0d\0\0\0\0\0\0"
		IPV4("\x28", "\x06", "\x81") "\x9c\x40\x1b\x58" "\0\0\x01\0";
	static const char error6[] = "\x60\0\0\0\0\x50\x3a\x40" TO6 FROM6 "\x01\x01\0\0\0\0\0\0"
		IPV6("\x14", "\x06", "\x40") TCP("\x02");
	static const char echo[] = "\x45\0\0\x38\0\0\0\0\x40\x01\0\0" TO4 FROM4 "\x08\0\0\0\0\0\0\0"
		IPV4("\x28", "\x06", "\x81") TCP("\x02");
	struct wire_packet got;

	(void)state;
	assert_true(wire_read_error(WIRE_RAW, (const uint8_t *)error4, sizeof error4 - 1, &got));
	assert_int_equal(got.from_port, 40000);
	assert_int_equal(got.seq, 256);
	assert_true(wire_read_error(WIRE_RAW, (const uint8_t *)error6, sizeof error6 - 1, &got));
	assert_int_equal(got.to_port, 7000);
	assert_int_equal(got.from.len, 16);
	assert_false(wire_read_error(WIRE_RAW, (const uint8_t *)echo, sizeof echo - 1, &got));
	assert_false(wire_read_error(WIRE_RAW, (const uint8_t *)rows[4].bytes, rows[4].len, &got));
	assert_string_equal(wire_error_text(FAMILY_IPV4, 3, 13), "administratively prohibited");
	assert_string_equal(wire_error_text(FAMILY_IPV6, 9, 9), "an error");
}

/* Cut anywhere, in memory of exactly that size, for a sanitizer to see what is read behind it. */
static void test_cut_and_noise(void **state)
{
	uint32_t roll = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t len = 0; len <= rows[i].len; len++)
			for (int noise = 0; noise < 8; noise++) {
				uint8_t *AUTO(mem_drop) bytes = malloc(len + 1);
				struct wire_packet got;

				memcpy(bytes, rows[i].bytes, len);
				bytes = realloc(bytes, len ? len : 1);
				roll = roll * 1664525 + 1013904223;
				if (noise && len)
					bytes[roll % len] = (uint8_t)(roll >> 24);
				(void)wire_read(rows[i].link, bytes, len, &got);
				(void)wire_read_error(rows[i].link, bytes, len, &got);
				assert_true(got.payload <= 65535);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_cut_and_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
