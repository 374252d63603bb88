/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a capture that need no kernel: its messages, its words, its file. */
#include "../../ctl/capture_parts.h"
#include "../../ctl/pcapng.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* 198.51.100.1:40000 > 203.0.113.1:7000 SYN */
static const uint8_t syn[] = "\x45\0\0\x28\0\0\x40\0\x40\x06\0\0\xc6\x33\x64\x01\xcb\0\x71\x01"
			     "\x9c\x40\x1b\x58\0\0\x01\0\0\0\0\0\x50\x02\x01\0\0\0\0\0";
static const struct numbered numbers[] = { { 7, "acme" }, { 8, "beta" } };

static struct logged logged(const char *prefix)
{
	struct logged logged = {
		.when_ns = 1700000000123456789, .out = true, .link = 2, .has_uid = true,
		.uid = 1000, .bytes = syn, .len = sizeof syn - 1,
	};

	(void)snprintf(logged.prefix, sizeof logged.prefix, "%s", prefix);
	return logged;
}

static void test_prefixes(void **state)
{
	static const struct {
		const char *prefix;
		bool read;
		enum stage stage;
		const char *binding;
	} rows[] = {
		{ "before 7", true, STAGE_BEFORE, "acme" }, { "after 8", true, STAGE_AFTER, "beta" },
		{ "after none", true, STAGE_AFTER, NULL }, { "after other", true, STAGE_AFTER, "?" },
		{ "before 9", true, STAGE_BEFORE, "?" }, { "missed other", true, STAGE_MISSED, "?" },
		{ "beforehand 7", false, 0, NULL }, { "be 7", false, 0, NULL }, { "before", false, 0, NULL },
		{ "", false, 0, NULL }, { "somebody else's", false, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct logged one = logged(rows[i].prefix);
		struct record record;

		print_message("'%s'\n", rows[i].prefix);
		assert_int_equal(capture_read(&one, numbers, ARRAY_LEN(numbers), &record),
				 rows[i].read);
		if (!rows[i].read)
			continue;
		assert_int_equal(record.stage, rows[i].stage);
		if (rows[i].binding)
			assert_string_equal(record.binding, rows[i].binding);
		else
			assert_null(record.binding);
	}
}

static void test_words(void **state)
{
	struct logged one = logged("after 7");
	char comment[CAPTURE_COMMENT], line[CAPTURE_LINE];
	struct record record;
	json_t *json;

	(void)state;
	assert_true(capture_read(&one, numbers, ARRAY_LEN(numbers), &record));
	(void)snprintf(record.link, sizeof record.link, "eth0");
	capture_comment(&record, comment);
	assert_string_equal(comment, "binding=acme stage=after direction=out link=eth0 uid=1000");
	capture_line(&record, line);
	assert_string_equal(line + 8, ".123456 out after  acme eth0 tcp 198.51.100.1:40000 > "
				      "203.0.113.1:7000 SYN seq 256 len 0");
	json = capture_json(&record);
	assert_string_equal(json_string_value(json_object_get(json, "time")), "2023-11-14T22:13:20.123456Z");
	assert_string_equal(json_string_value(json_object_get(json, "flags")), "SYN");
	assert_int_equal(json_integer_value(json_object_get(json, "length")), 40);
	json_decref(json);
	one.len = 12;				/* cut in the header */
	one.has_uid = false;
	assert_true(capture_read(&one, numbers, ARRAY_LEN(numbers), &record));
	capture_line(&record, line);
	assert_non_null(strstr(line, "a packet whose header is cut"));
	assert_int_equal(capture_length(&record), 12);
	json = capture_json(&record);
	assert_null(json_object_get(json, "source"));
	json_decref(json);
}

static uint32_t at32(const struct pcapng *out, size_t at)
{
	uint32_t value;

	assert_true(at + sizeof value <= out->n);
	memcpy(&value, out->at + at, sizeof value);
	return value;
}

/* Walk over all blocks: each says its length at both ends, and they fill the file. */
static size_t count_blocks(const struct pcapng *out, uint32_t kind)
{
	size_t at = 0, n = 0;

	while (at < out->n) {
		uint32_t len = at32(out, at + 4);

		assert_true(len >= 12 && len % 4 == 0 && at + len <= out->n);
		assert_int_equal(at32(out, at + len - 4), len);
		n += at32(out, at) == kind;
		at += len;
	}
	assert_int_equal(at, out->n);
	return n;
}

static void test_file(void **state)
{
	struct pcapng out = { 0 };
	size_t at;

	(void)state;
	pcapng_begin(&out, "a test");
	assert_int_equal(at32(&out, 8), 0x1a2b3c4d);
	pcapng_interface(&out, "before", "before translation", 65535);
	at = out.n;
	for (size_t len = 0; len < sizeof syn; len++) {
		struct pcapng_packet packet = {
			.when_ns = 0x123456789abcdef0, .bytes = syn, .len = len, .whole_len = 40,
			.out = true, .comment = "binding=acme",
		};

		pcapng_packet(&out, &packet);
	}
	pcapng_statistics(&out, 0, 1, 41, 3);
	assert_int_equal(count_blocks(&out, 0x0a0d0d0a), 1);
	assert_int_equal(count_blocks(&out, 1), 1);
	assert_int_equal(count_blocks(&out, 6), sizeof syn);
	assert_int_equal(count_blocks(&out, 5), 1);
	assert_int_equal(at32(&out, at + 12), 0x12345678);	/* the first packet: time, high part */
	assert_int_equal(at32(&out, at + 16), 0x9abcdef0);
	assert_int_equal(at32(&out, at + 20), 16);
	assert_int_equal(at32(&out, at + 24), 56);
	assert_memory_equal(out.at + at + 28, "\0\4\xff\xfe\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(at32(&out, at + 44), 12 << 16 | 1);	/* the comment's option */
	assert_memory_equal(out.at + at + 48, "binding=acme", 12);
	pcapng_drop(&out);
	assert_null(out.at);
}

static void test_families(void **state)
{
	static const struct { uint8_t first; bool out; const char *want; } rows[] = {
		{ 0x45, true, "\0\4\xff\xfe\0\0\0\0\0\0\0\0\0\0\x08\x00\x45" },
		{ 0x60, false, "\0\0\xff\xfe\0\0\0\0\0\0\0\0\0\0\x86\xdd\x60" },
		{ 0x10, false, "\0\0\xff\xfe\0\0\0\0\0\0\0\0\0\0\0\0\x10" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pcapng_packet packet = { .bytes = &rows[i].first, .len = 1, .whole_len = 1,
						.out = rows[i].out, .comment = "" };
		struct pcapng out = { 0 };

		pcapng_packet(&out, &packet);
		assert_memory_equal(out.at + 28, rows[i].want, 17);
		pcapng_drop(&out);
	}
}

/* Attributes as nfnetlink_log writes them, behind a struct nfgenmsg. */
static const uint8_t message[] = "\2\0\0\x01"
	"\x08\0\x01\0\x08\0\x04\0"		/* NFULA_PACKET_HDR: postrouting */
	"\x0d\0\x0a\0before 7\0\0\0\0"		/* NFULA_PREFIX */
	"\x08\0\x05\0\0\0\0\x03"		/* NFULA_IFINDEX_OUTDEV */
	"\x08\0\x0b\0\0\0\x03\xe8"		/* NFULA_UID */
	"\x08\0\x0c\0\0\0\0\x09"		/* NFULA_SEQ */
	"\x08\0\x09\0\x45\0\0\0";		/* NFULA_PAYLOAD */

static void test_messages(void **state)
{
	const size_t whole = sizeof message - 1;
	struct logged got;
	bool has_seq;
	uint32_t seq;

	(void)state;
	assert_true(packet_log_parse(message, whole, &got, &has_seq, &seq));
	assert_true(got.out && got.has_uid && has_seq);
	assert_string_equal(got.prefix, "before 7");
	assert_int_equal(got.link, 3);
	assert_int_equal(got.uid, 1000);
	assert_int_equal(seq, 9);
	assert_int_equal(got.len, 4);
	for (size_t len = 0; len < whole; len++) {
		uint8_t *AUTO(mem_drop) cut = malloc(len ? len : 1);

		memcpy(cut, message, len);
		(void)packet_log_parse(cut, len, &got, &has_seq, &seq);
	}
	for (size_t i = 0; i < whole * 256; i++) {	/* each octet with each value */
		uint8_t *AUTO(mem_drop) wrong = malloc(whole);

		memcpy(wrong, message, whole);
		wrong[i / 256] = (uint8_t)i;
		if (packet_log_parse(wrong, whole, &got, &has_seq, &seq))
			assert_true(got.len <= whole);
	}
}

static void test_times(void **state)
{
	static const uint64_t second = 1000000000;
	static const struct {
		const char *what;
		uint64_t last, now, when[4], want[4];
	} rows[] = {
		{ "none is stamped", 0, 50, { 0, 0, 0, 0 }, { 50, 50, 50, 50 } },
		{ "an answer is not before its question", 0, 90, { 0, 0, 20, 0 }, { 20, 20, 20, 90 } },
		{ "behind another reading", 30, 90, { 0, 20, 0, 40 }, { 30, 30, 40, 40 } },
		{ "stamps out of order", 0, 90, { 40, 30, 0, 50 }, { 40, 40, 50, 50 } },
		{ "the clock was set back", 9 * second, 2 * second, { 0, second, 0, 0 },
		  { second, second, 2 * second, 2 * second } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct logged got[4] = { 0 };
		uint64_t last = rows[i].last;

		print_message("%s\n", rows[i].what);
		for (size_t j = 0; j < ARRAY_LEN(got); j++)
			got[j].when_ns = rows[i].when[j];
		packet_log_date(got, ARRAY_LEN(got), rows[i].now, &last);
		for (size_t j = 0; j < ARRAY_LEN(got); j++)
			assert_int_equal(got[j].when_ns, rows[i].want[j]);
		assert_int_equal(last, rows[i].want[3]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
