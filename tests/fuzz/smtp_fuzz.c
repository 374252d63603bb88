/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the relay reads off the wire: the first octet says which reader, the second where the
 * input is cut. The same must come of it whole and cut; encoded content must decode to itself;
 * nothing may end a text but its end.
 */
#include "smtp/back.h"
#include "smtp/command.h"
#include "smtp/header.h"

#include "base/mem.h"

#include <stdint.h>
#include <string.h>

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool same(const struct buffer *a, const struct buffer *b)
{
	return buffer_len(a) == buffer_len(b) &&
	       (buffer_len(a) == 0 || memcmp(buffer_bytes(a), buffer_bytes(b), buffer_len(a)) == 0);
}

static void read_lines(const uint8_t *at, size_t n, size_t cut, struct buffer *out)
{
	struct line_reader reader = { .max = 64 };
	const uint8_t *parts[2] = { at, at + cut };
	size_t lens[2] = { cut, n - cut };
	enum line_event event;
	struct text line;

	for (int i = 0; i < 2; i++) {
		while ((event = line_next(&reader, &parts[i], &lens[i], &line)) != LINE_MORE) {
			buffer_print(out, "%d ", (int)event);
			if (event != LINE_LONG)
				buffer_put(out, line.at, line.len);
		}
		check(lens[i] == 0 && buffer_len(&reader.kept) <= reader.max);
	}
	line_reader_drop(&reader);
}

static void read_replies(const uint8_t *at, size_t n, size_t cut, struct buffer *out)
{
	struct reply_reader reader;
	const uint8_t *parts[2] = { at, at + cut };
	size_t lens[2] = { cut, n - cut };
	struct reply reply = { 0 };
	int r = 0;

	reply_reader_init(&reader);
	for (int i = 0; i < 2 && r >= 0; i++) {
		while ((r = reply_next(&reader, &parts[i], &lens[i], &reply)) == 1) {
			check(reply.code >= 200 && reply.code < 560);
			reply_print(&reply, out);
			reply_drop(&reply);
		}
	}
	buffer_print(out, "%d", r);
	reply_reader_drop(&reader);
}

static bool mends;

static void read_body(const uint8_t *at, size_t n, size_t cut, struct buffer *out)
{
	struct body_decoder decoder = { .normalise = mends };
	struct body_encoder encoder = { 0 };
	const uint8_t *parts[2] = { at, at + cut };
	size_t lens[2] = { cut, n - cut };
	struct buffer wire = { 0 };
	enum body_event event = BODY_MORE;
	struct text piece;

	for (int i = 0; i < 2 && event != BODY_END; i++) {
		while ((event = body_decode(&decoder, &parts[i], &lens[i], &piece)) == BODY_PIECE) {
			buffer_put(out, piece.at, piece.len);
			body_encode_run(&encoder, piece, &wire);
		}
	}
	/* What goes out ends nowhere before its end, for whoever takes CRLF only, and for nobody
	 * once mended. */
	if (buffer_len(&wire) > 0)
		check(!memmem(buffer_bytes(&wire), buffer_len(&wire), "\r\n.\r\n", 5));
	if (mends && buffer_len(&wire) > 0)
		check(!memmem(buffer_bytes(&wire), buffer_len(&wire), "\n.\n", 3) &&
		      !memmem(buffer_bytes(&wire), buffer_len(&wire), "\r.\r", 3));
	buffer_print(out, "|%d %d", (int)(event == BODY_END), decoder.bare);
	buffer_drop(&wire);
}

static void read_header(const uint8_t *at, size_t n, size_t cut, struct buffer *out)
{
	struct header_scan scan = { .take = "X-Binding", .self = "mx" };
	const uint8_t *parts[2] = { at, at + cut };
	size_t lens[2] = { cut, n - cut };

	for (int i = 0; i < 2; i++) {
		size_t used =
			scan.over ? 0
				  : header_feed(&scan,
						(struct text){ (const char *)parts[i], lens[i] },
						out);

		check(used <= lens[i] && (used == lens[i] || scan.over));
		buffer_put(out, parts[i] + used, lens[i] - used);
	}
	header_finish(&scan, out);
	buffer_print(out, "|%u %u %u %s", scan.n_received, scan.n_self, scan.n_taken, scan.value);
	header_scan_drop(&scan);
}

static void read_command(const uint8_t *at, size_t n, size_t cut, struct buffer *out)
{
	struct command command;
	struct refusal_text refusal =
		command_parse((struct text){ (const char *)at, n }, cut & 1, &command);

	(void)out;
	if (refusal.code)
		check(refusal.code >= 500 && refusal.text);
	else if (command.verb == VERB_MAIL || command.verb == VERB_RCPT)
		check(command.path.address.len <= PATH_MAX_BYTES &&
		      command.path.local.len <= LOCAL_MAX_BYTES);
}

static void check_round(const uint8_t *at, size_t n, size_t cut)
{
	struct body_encoder encoder = { 0 };
	struct body_decoder decoder = { 0 };
	struct buffer wire = { 0 }, got = { 0 };
	const uint8_t *read;
	struct text piece;
	enum body_event event;
	size_t left;

	body_encode(&encoder, (struct text){ (const char *)at, cut }, &wire);
	body_encode(&encoder, (struct text){ (const char *)at + cut, n - cut }, &wire);
	body_encode_end(&encoder, &wire);
	read = buffer_bytes(&wire);
	left = buffer_len(&wire);
	while ((event = body_decode(&decoder, &read, &left, &piece)) == BODY_PIECE)
		buffer_put(&got, piece.at, piece.len);
	check(event == BODY_END && left == 0 && buffer_len(&got) >= n);
	check(n == 0 || memcmp(buffer_bytes(&got), at, n) == 0);
	buffer_drop(&wire);
	buffer_drop(&got);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	static void (*const readers[])(const uint8_t *, size_t, size_t, struct buffer *) = {
		read_lines, read_replies, read_body, read_body, read_header, read_command,
	};
	struct buffer whole = { 0 }, cut = { 0 };
	size_t which, at;

	if (n < 3)
		return 0;
	which = octets[0] % ARRAY_LEN(readers);
	mends = which == 3;
	at = octets[1] % (n - 1);
	octets += 2;
	n -= 2;
	readers[which](octets, n, 0, &whole);
	readers[which](octets, n, at > n ? n : at, &cut);
	check(which == 5 || same(&whole, &cut));
	check_round(octets, n, at > n ? n : at);
	buffer_drop(&whole);
	buffer_drop(&cut);
	return 0;
}
