/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is read off the wire: lines, replies, texts, headers. Each input is given whole, octet by
 * octet, and cut in two at every octet; what comes of it must be the same.
 */
#include "smtp/back.h"
#include "smtp/header.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* What a reader makes of input that comes in pieces, as one line of text. */
typedef void read_pieces(const char *input, size_t n, size_t cut, bool single, struct buffer *out);

static void next_piece(const char *input, size_t n, size_t cut, bool single, size_t *at,
		       const uint8_t **piece, size_t *len)
{
	size_t left = n - *at;

	*piece = (const uint8_t *)input + *at;
	*len = single ? 1 : *at < cut ? cut - *at : left;
	*at += *len;
}

static void check_splits(const char *what, const char *input, size_t n, const char *want,
			 read_pieces *read)
{
	for (size_t cut = 0; cut <= n + 1; cut++) {
		AUTO(buffer_drop) struct buffer out = { 0 };

		read(input, n, cut > n ? n : cut, cut == n + 1, &out);
		buffer_put(&out, "", 1);
		if (strcmp((const char *)buffer_bytes(&out), want) != 0)
			fail_msg("%s, cut at %zu of %zu: got '%s', want '%s'", what, cut, n,
				 (const char *)buffer_bytes(&out), want);
	}
}

static void read_lines(const char *input, size_t n, size_t cut, bool single, struct buffer *out)
{
	static const char *const names[] = { "more", "good", "bare", "long" };
	AUTO(line_reader_drop) struct line_reader reader = { .max = 12 };
	const uint8_t *at;
	struct text line;
	size_t len, done = 0;

	while (done < n) {
		enum line_event event;

		next_piece(input, n, cut, single, &done, &at, &len);
		while ((event = line_next(&reader, &at, &len, &line)) != LINE_MORE)
			buffer_print(out, "%s:%.*s|", names[event], event == LINE_LONG ? 0 : (int)line.len,
				     event == LINE_LONG ? "" : line.at);
		assert_int_equal(len, 0);
		assert_true(buffer_len(&reader.kept) <= reader.max);
	}
}

static void test_lines(void **state)
{
	static const struct { const char *what, *input, *want; } rows[] = {
		{ "two lines", "abc\r\nde\r\n", "good:abc|good:de|" },
		{ "an empty line", "\r\n", "good:|" },
		{ "a bare LF is inside the line", "a\nb\r\n", "bare:a\nb|" },
		{ "a bare CR too", "a\rb\r\n", "bare:a\rb|" },
		{ "CR CR LF", "a\r\r\n", "bare:a\r|" },
		{ "LF alone ends nothing", "a\n", "" },
		{ "ten octets and CRLF are as long as can be", "0123456789\r\n", "good:0123456789|" },
		{ "eleven are too long, and the next line is read", "0123456789a\r\nb\r\n", "long:|good:b|" },
		{ "very long ones too", "0123456789012345678901234567890\r\nb\r\n", "long:|good:b|" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_splits(rows[i].what, rows[i].input, strlen(rows[i].input), rows[i].want,
			     read_lines);
}

static void read_replies(const char *input, size_t n, size_t cut, bool single, struct buffer *out)
{
	struct reply_reader reader;
	const uint8_t *at;
	size_t len, done = 0;
	int r = 0;

	reply_reader_init(&reader);
	while (done < n && r >= 0) {
		struct reply reply = { 0 };

		next_piece(input, n, cut, single, &done, &at, &len);
		while ((r = reply_next(&reader, &at, &len, &reply)) == 1) {
			buffer_print(out, "%d %.*s|", reply.code, (int)buffer_len(&reply.text),
				     (const char *)buffer_bytes(&reply.text));
			reply_drop(&reply);
		}
	}
	if (r < 0)
		buffer_text(out, r == -EBADMSG ? "bad" : r == -EMSGSIZE ? "long" : "?");
	reply_reader_drop(&reader);
}

static void test_replies(void **state)
{
	static const struct { const char *what, *input, *want; } rows[] = {
		{ "one line", "250 ok\r\n", "250 ok|" },
		{ "a code alone", "250\r\n", "250 |" },
		{ "several lines", "250-a\r\n250-b\r\n250 c\r\n", "250 a\nb\nc|" },
		{ "two replies", "250 a\r\n354 b\r\n", "250 a|354 b|" },
		{ "codes that differ", "250-a\r\n251 b\r\n", "bad" },
		{ "no code", "hello\r\n", "bad" },
		{ "a code out of range", "199 x\r\n", "bad" },
		{ "a second digit out of range", "260 x\r\n", "bad" },
		{ "an odd separator", "250+x\r\n", "bad" },
		{ "a bare LF would be a second reply to somebody", "250 a\n550 b\r\n", "bad" },
		{ "control characters are harmless afterwards", "250 a\x1b" "b\r\n", "250 a?b|" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_splits(rows[i].what, rows[i].input, strlen(rows[i].input), rows[i].want,
			     read_replies);
}

static void test_reply_bounds(void **state)
{
	AUTO(buffer_drop) struct buffer many = { 0 }, wide = { 0 };
	AUTO(buffer_drop) struct buffer got = { 0 };

	(void)state;
	for (int i = 0; i <= REPLY_LINES_MAX; i++)
		buffer_text(&many, "250-x\r\n");
	read_replies((const char *)buffer_bytes(&many), buffer_len(&many), buffer_len(&many), false,
		     &got);
	buffer_text(&got, " ");
	buffer_text(&wide, "250 ");
	for (int i = 0; i < REPLY_LINE_MAX; i++)
		buffer_text(&wide, "x");
	buffer_text(&wide, "\r\n");
	read_replies((const char *)buffer_bytes(&wide), buffer_len(&wide), buffer_len(&wide), false,
		     &got);
	buffer_put(&got, "", 1);
	assert_string_equal((const char *)buffer_bytes(&got), "long long");
}

static bool normalise;

static void read_body(const char *input, size_t n, size_t cut, bool single, struct buffer *out)
{
	struct body_decoder decoder = { .normalise = normalise };
	enum body_event event = BODY_MORE;
	const uint8_t *at;
	struct text piece;
	size_t len, done = 0;

	while (done < n && event != BODY_END) {
		next_piece(input, n, cut, single, &done, &at, &len);
		while ((event = body_decode(&decoder, &at, &len, &piece)) == BODY_PIECE)
			buffer_put(out, piece.at, piece.len);
	}
	buffer_print(out, "|%s%s", event == BODY_END ? "end" : "open", decoder.bare ? " bare" : "");
}

static void test_bodies(void **state)
{
	static const struct { const char *what, *input, *want; } rows[] = {
		{ "nothing at all", ".\r\n", "|end" },
		{ "a line", "a\r\n.\r\n", "a\r\n|end" },
		{ "a stuffed dot", "..a\r\n.\r\n", ".a\r\n|end" },
		{ "a dot that was not stuffed is dropped all the same", ".a\r\n.\r\n", "a\r\n|end" },
		{ "dots within a line stay", "a.b..\r\n.\r\n", "a.b..\r\n|end" },
		{ "a line of two dots", "..\r\n.\r\n", ".\r\n|end" },
		/* CVE-2023-51764 and its kin: none of these is an end */
		{ "LF . LF", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n|end bare" },
		{ "LF . CRLF", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n|end bare" },
		{ "CRLF . LF", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n|end bare" },
		{ "CR . CR", "a\r.\rb\r\n.\r\n", "a\r.\rb\r\n|end bare" },
		{ "CR . CRLF", "a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n|end bare" },
		{ "CRLF . CR", "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n|end bare" },
		{ "LF . CR", "a\n.\rb\r\n.\r\n", "a\n.\rb\r\n|end bare" },
		{ "CR . LF", "a\r.\nb\r\n.\r\n", "a\r.\nb\r\n|end bare" },
		{ "CRLF . CR CR LF", "a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n|end bare" },
		{ "CR CR LF . CR CR LF", "a\r\r\n.\r\r\nb\r\n.\r\n", "a\r\r\n\r\r\nb\r\n|end bare" },
		{ "no end", "a\r\n.", "a\r\n|open" },
	};

	(void)state;
	normalise = false;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_splits(rows[i].what, rows[i].input, strlen(rows[i].input), rows[i].want,
			     read_body);
}

static void test_bodies_mended(void **state)
{
	static const struct { const char *what, *input, *want; } rows[] = {
		{ "bare LF", "a\nb\r\n.\r\n", "a\r\nb\r\n|end bare" },
		{ "bare CR", "a\rb\r\n.\r\n", "a\r\nb\r\n|end bare" },
		{ "LF . LF is a line that had a dot, and no end", "a\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n|end bare" },
		{ "LF . CRLF is an end: what was before it is a line now", "a\n.\r\nb", "a\r\n|end bare" },
	};

	(void)state;
	normalise = true;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_splits(rows[i].what, rows[i].input, strlen(rows[i].input), rows[i].want,
			     read_body);
}

/* What ends a line of any length is seen wherever it stands: at once, as octet by octet. */
static void test_bodies_long(void **state)
{
	static const char *const tails[] = {
		"\r\n.\r\n", "\r\n..a\r\n.\r\n", "\n.\r\n.\r\n", "\r.\r\n.\r\n", "\r\r\n.\r\n", ".\r\n.\r\n",
	};

	(void)state;
	normalise = false;
	for (size_t len = 1; len < 2100; len += len % 1024 > 8 && len % 1024 < 1012 ? 97 : 1)
		for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
			AUTO(buffer_drop) struct buffer in = { 0 }, whole = { 0 }, single = { 0 };

			for (size_t k = 0; k < len; k++)
				buffer_text(&in, "x");
			buffer_text(&in, tails[i]);

			const char *input = (const char *)buffer_bytes(&in);
			size_t n = buffer_len(&in);

			read_body(input, n, n, false, &whole);
			read_body(input, n, 0, true, &single);
			assert_int_equal(buffer_len(&whole), buffer_len(&single));
			assert_memory_equal(buffer_bytes(&whole), buffer_bytes(&single),
					    buffer_len(&whole));
			assert_non_null(memmem(buffer_bytes(&whole), buffer_len(&whole), "|end", 4));
		}
}

static void test_nul_counts(void **state)
{
	struct body_decoder decoder = { 0 };
	const char input[] = "a\0b\r\n\0\0\r\n.\r\n";
	const uint8_t *at = (const uint8_t *)input;
	size_t n = sizeof input - 1, pieces = 0;
	struct text piece;

	(void)state;
	while (body_decode(&decoder, &at, &n, &piece) == BODY_PIECE)
		pieces += piece.len;
	assert_int_equal(decoder.n_nul, 3);
	assert_int_equal(pieces, 9);
	assert_int_equal(decoder.n_content, 9);
}

/* Content through encoder and decoder, cut at @cut, must come out as it was, with a line end. */
static void check_round(const char *content, size_t n, size_t cut)
{
	AUTO(buffer_drop) struct buffer wire = { 0 }, got = { 0 };
	struct body_encoder encoder = { 0 };
	struct body_decoder decoder = { 0 };
	const uint8_t *at;
	struct text piece;
	enum body_event event;
	size_t len;

	body_encode(&encoder, (struct text){ content, cut }, &wire);
	body_encode(&encoder, (struct text){ content + cut, n - cut }, &wire);
	body_encode_end(&encoder, &wire);
	at = buffer_bytes(&wire);
	len = buffer_len(&wire);
	while ((event = body_decode(&decoder, &at, &len, &piece)) == BODY_PIECE)
		buffer_put(&got, piece.at, piece.len);
	if (event != BODY_END || len != 0)
		fail_msg("'%.*s' cut at %zu: the end is not at the end", (int)n, content, cut);
	if (n > 0 && !(n >= 2 && memcmp(content + n - 2, "\r\n", 2) == 0)) {
		assert_int_equal(buffer_len(&got), n + 2);
	} else {
		assert_int_equal(buffer_len(&got), n);
	}
	if (n > 0)
		assert_memory_equal(buffer_bytes(&got), content, n);
}

static void test_encoding(void **state)
{
	static const char *const contents[] = { "", "a", ".", "..", "\r\n", "a\r\n.\r\nb", ".\r\n.\r\n", "\r\n.", "\r",
						"a\r\n\r\n.b\r\n", "x\r\n..\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contents); i++)
		for (size_t cut = 0; cut <= strlen(contents[i]); cut++)
			check_round(contents[i], strlen(contents[i]), cut);
}

static void read_header(const char *input, size_t n, size_t cut, bool single, struct buffer *out)
{
	AUTO(header_scan_drop) struct header_scan scan = { .take = "X-Binding", .self = "mx.here.example" };
	const uint8_t *at;
	size_t len, done = 0;

	while (done < n) {
		size_t used;

		next_piece(input, n, cut, single, &done, &at, &len);
		used = scan.over ? 0
				 : header_feed(&scan, (struct text){ (const char *)at, len }, out);
		buffer_put(out, at + used, len - used);
	}
	header_finish(&scan, out);
	buffer_print(out, "|received=%u self=%u taken=%u value=%s", scan.n_received, scan.n_self, scan.n_taken,
		     scan.value);
}

static void test_headers(void **state)
{
	static const struct { const char *what, *input, *want; } rows[] = {
		{ "nothing to be found", "A: b\r\n\r\nX-Binding: c\r\n",
		  "A: b\r\n\r\nX-Binding: c\r\n|received=0 self=0 taken=0 value=" },
		{ "the field is taken out", "A: b\r\nX-binding:  acme \r\nC: d\r\n\r\n",
		  "A: b\r\nC: d\r\n\r\n|received=0 self=0 taken=1 value=acme" },
		{ "with its continuation", "X-Binding:\r\n acme\r\n\tx\r\nC: d\r\n\r\n",
		  "C: d\r\n\r\n|received=0 self=0 taken=1 value=acme x" },
		{ "twice", "X-Binding: a\r\nX-Binding: b\r\n\r\n", "\r\n|received=0 self=0 taken=2 value=a" },
		{ "a name that only begins alike", "X-Binding-Too: a\r\n\r\n",
		  "X-Binding-Too: a\r\n\r\n|received=0 self=0 taken=0 value=" },
		{ "received fields", "Received: from a by mx.here.example with SMTP\r\nReceived: x\r\n\tby mx.here.example;\r\n"
		  "\r\n", "Received: from a by mx.here.example with SMTP\r\nReceived: x\r\n\tby mx.here.example;\r\n\r\n"
		  "|received=2 self=2 taken=0 value=" },
		{ "a host that only begins alike", "Received: by mx.here.example.org x\r\n\r\n",
		  "Received: by mx.here.example.org x\r\n\r\n|received=1 self=0 taken=0 value=" },
		{ "no header at all", "just text\r\nX-Binding: a\r\n",
		  "just text\r\nX-Binding: a\r\n|received=0 self=0 taken=0 value=" },
		{ "it ends with the text", "X-Binding: a\r\nB: c", "B: c|received=0 self=0 taken=1 value=a" },
		{ "a text that begins with a continuation has none", " folded\r\nA: b\r\n",
		  " folded\r\nA: b\r\n|received=0 self=0 taken=0 value=" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_splits(rows[i].what, rows[i].input, strlen(rows[i].input), rows[i].want,
			     read_header);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),	      cmocka_unit_test(test_replies),
		cmocka_unit_test(test_reply_bounds),  cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_bodies_mended),
		cmocka_unit_test(test_bodies_long), cmocka_unit_test(test_nul_counts),
		cmocka_unit_test(test_encoding),      cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
