/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes and times at their limits: what is too long, too many, or slow but steady. */
#include "smtp_pair.h"

#include "smtp/header.h"
#include "smtp/session_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define HELLO		"EHLO c\r\n"
#define ENVELOPE	"MAIL FROM:<a@one.example>\r\nRCPT TO:<b@x.example>\r\n"

static void say(struct pair *pair, const char *text)
{
	pair_client(pair, text, strlen(text));
}

/* A header that is given up looking at, read in pieces that end anywhere, arrives as it was. */
static void test_long_header_arrives(void **state)
{
	struct pair pair = { .kind = { .point = POINT_MAIL, .size_max = 2 * HEADER_MAX_BYTES } };
	AUTO(buffer_drop) struct buffer text = { 0 };
	const char *taken;

	(void)state;
	for (unsigned i = 0; buffer_len(&text) < HEADER_MAX_BYTES + 5000; i++)
		buffer_print(&text, "X-Field-%08u: the value of one of very many fields\r\n", i);
	pair_open(&pair);
	say(&pair, HELLO ENVELOPE "DATA\r\n");
	for (size_t at = 0, n; at < buffer_len(&text); at += n) {
		n = buffer_len(&text) - at < 1000 ? buffer_len(&text) - at : 1000;
		pair_client(&pair, (const char *)buffer_bytes(&text) + at, n);
	}
	say(&pair, "\r\nhi\r\n.\r\n");
	buffer_put(&pair.taken, "", 1);
	taken = (const char *)buffer_bytes(&pair.taken);
	for (unsigned i = 0; i < buffer_len(&text) / strlen("X-Field-00000000: the value of one of very many fields\r\n");
	     i++) {
		char field[64];

		snprintf(field, sizeof field, "X-Field-%08u: the value of one of very many fields|", i);
		taken = strstr(taken, field);
		if (!taken)
			fail_msg("field %u did not arrive", i);
		taken += strlen(field);
	}
	assert_string_equal(taken, "|hi|;");
	pair_close(&pair);
}

/* Recipients without end while the destination is silent: what is not answered yet stays bounded. */
static void test_many_recipients_wait(void **state)
{
	struct pair pair = { .kind = { .point = POINT_MAIL }, .behaviour = "RCPT:stall" };
	unsigned n = 0;

	(void)state;
	pair_open(&pair);
	say(&pair, HELLO "MAIL FROM:<a@one.example>\r\n");
	for (; n < 2 * SESSION_RCPT_MAX && session_wants_client(pair.session); n++)
		say(&pair, "RCPT TO:<b@x.example>\r\n");
	assert_in_range(n, SESSION_RCPT_MAX + 1, SESSION_RCPT_MAX + 100);
	pair_close(&pair);
}

/* A destination that takes two messages a connection, and says so, gets no third. */
static void test_as_many_as_it_takes(void **state)
{
	static const enum point points[] = { POINT_ACCEPT, POINT_MAIL };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		struct pair pair = { .kind = { .point = points[i] }, .pool = true,
				     .behaviour = "CAPS:PIPELINING,LIMITS MAILMAX=2" };
		char codes[100];

		pair_open(&pair);
		say(&pair, HELLO);
		for (unsigned k = 0; k < 3; k++)
			say(&pair, ENVELOPE "DATA\r\n\r\nhi\r\n.\r\n");
		pair_codes(&pair, codes, sizeof codes);
		assert_string_equal(codes, "220 250 250 250 354 250 250 250 354 250 250 250 354 250");
		assert_int_equal(pair.n_dials, 2);
		pair_close(&pair);
	}
}

/* Greets and announces nothing; then the answers to MAIL, RCPT, DATA. */
static void begin_text(struct back *back)
{
	static const char *const replies[] = { "220 x\r\n", "250 x\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n" };
	struct back_news news;

	back_start(back, 0);
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		if (i == 2) {
			back_command(back, BACK_MAIL, "MAIL FROM:<>", 0);
			back_command(back, BACK_RCPT, "RCPT TO:<b@c>", 0);
			back_command(back, BACK_DATA, "DATA", 0);
		}
		buffer_take(&back->out, buffer_len(&back->out));
		back_bytes(back, (const uint8_t *)replies[i], strlen(replies[i]), 0);
		while (back_next(back, &news))
			back_news_drop(&news);
	}
}

/* A text that goes slower than it comes, but goes; then no more. */
static void test_slow_destination(void **state)
{
	AUTO(back_drop) struct back back = { .ehlo = "c" };
	const uint64_t second = 1000000;
	struct back_news news;
	uint64_t now = 0;

	(void)state;
	begin_text(&back);
	for (unsigned i = 0; i < 20; i++) {
		back_body(&back, (struct text){ "0123456789", 10 }, false, now);
		now += 100 * second;
		buffer_take(&back.out, 5);
		back_written(&back, now);
		back_tick(&back, now);
		assert_false(back_is_down(&back));
	}
	assert_true(buffer_len(&back.out) > 0);
	back_tick(&back, now + (BACK_WAIT_BLOCK - 1) * second);
	assert_false(back_is_down(&back));
	back_tick(&back, now + BACK_WAIT_BLOCK * second);
	assert_true(back_is_down(&back));
	assert_true(back_next(&back, &news));
	assert_string_equal(news.why, "it took nothing of the text for 170 s");
	back_news_drop(&news);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_header_arrives),
		cmocka_unit_test(test_many_recipients_wait),
		cmocka_unit_test(test_as_many_as_it_takes),
		cmocka_unit_test(test_slow_destination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
