/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Framing of varlink messages: however the bytes arrive, and whatever they are. */
#include "proto/varlink.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *what, *input;		/* '|' stands for the NUL */
	const char *want;			/* one letter a message: o an object, b a bad one */
} streams[] = {
	{ "nothing", "", "" },
	{ "half a message", "{\"a\":1", "" },
	{ "one", "{}|", "o" },
	{ "two at once and the start of a third", "{}|{\"a\":[{}]}|{", "oo" },
	{ "blanks around it", " {} |", "o" },
	{ "an empty message", "|", "b" },
	{ "an array", "[]|", "b" },
	{ "a number", "1|", "b" },
	{ "two objects in one message", "{}{}|", "b" },
	{ "a key twice", "{\"a\":1,\"a\":2}|", "b" },
	{ "not UTF-8", "{\"\xff\":1}|", "b" },
	{ "a NUL in a string", "{\"a\":\"\\u0000\"}|", "b" },
	{ "brackets in a string are not depth",
	  "{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[\"}|", "o" },
	{ "garbage, then a message", "garbage|{}|", "bo" },
};

static char *outcome(const char *input, size_t piece)
{
	struct varlink_reader reader = { 0 };
	size_t n = strlen(input), got = 0;
	char *AUTO(mem_drop) bytes = mem_text(input, n);
	char *seen = mem_zero(n + 1, 1);
	json_t *message;
	int r;

	for (size_t i = 0; i < n; i++)
		bytes[i] = bytes[i] == '|' ? '\0' : bytes[i];
	for (size_t at = 0; at < n; at += piece) {
		assert_int_equal(varlink_feed(&reader, bytes + at, n - at < piece ? n - at : piece),
				 0);
		while ((r = varlink_next(&reader, &message)) != 0) {
			seen[got++] = r == 1 ? 'o' : 'b';
			if (r == 1)
				json_decref(message);
			else
				assert_int_equal(r, -EBADMSG);
		}
	}
	varlink_reader_drop(&reader);
	return seen;
}

static void test_streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		for (size_t piece = 1; piece <= strlen(streams[i].input) + 1; piece++) {
			char *AUTO(mem_drop) got = outcome(streams[i].input, piece);

			if (strcmp(got, streams[i].want) != 0)
				fail_msg("%s, %zu bytes at a time: got '%s', want '%s'",
					 streams[i].what, piece, got, streams[i].want);
		}
	}
}

static int nested(int depth)
{
	struct varlink_reader reader = { 0 };
	char text[512] = "{\"a\":";
	json_t *message = NULL;
	int r;

	for (int i = 1; i < depth; i++)
		strcat(text, "[");
	for (int i = 1; i < depth; i++)
		strcat(text, "]");
	if (depth == 1)
		strcat(text, "1");
	strcat(text, "}");
	assert_int_equal(varlink_feed(&reader, text, strlen(text) + 1), 0);
	r = varlink_next(&reader, &message);
	json_decref(message);
	varlink_reader_drop(&reader);
	return r;
}

static void test_depth(void **state)
{
	(void)state;
	assert_int_equal(nested(1), 1);
	assert_int_equal(nested(VARLINK_DEPTH_MAX), 1);
	assert_int_equal(nested(VARLINK_DEPTH_MAX + 1), -EBADMSG);
}

static void test_limit(void **state)
{
	struct varlink_reader reader = { .limit = 8 };
	json_t *message;

	(void)state;
	assert_int_equal(varlink_feed(&reader, "{\"a\":1}\0", 8), 0);
	assert_int_equal(varlink_feed(&reader, "{\"abc\"", 6), 0);
	assert_int_equal(varlink_next(&reader, &message), 1);
	json_decref(message);
	assert_int_equal(varlink_next(&reader, &message), 0);
	assert_int_equal(varlink_feed(&reader, ":11", 3), -EMSGSIZE);
	varlink_reader_drop(&reader);
	reader = (struct varlink_reader){ .limit = 8 };
	assert_int_equal(varlink_feed(&reader, "{\"a\":1000}\0", 11), 0);
	assert_int_equal(varlink_next(&reader, &message), -EBADMSG);
	varlink_reader_drop(&reader);
}

static void test_encode(void **state)
{
	json_t *message = json_pack("{s:s, s:[i, i]}", "a", "x\n", "b", 1, 2);
	char *AUTO(mem_drop) text = NULL;
	size_t len = varlink_encode(message, &text);

	(void)state;
	assert_string_equal(text, "{\"a\":\"x\\n\",\"b\":[1,2]}");
	assert_int_equal(len, strlen(text) + 1);
	json_decref(message);
}

static void test_description(void **state)
{
	(void)state;
	assert_non_null(strstr(varlink_description, "\ninterface org.outbind\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_limit), cmocka_unit_test(test_encode),
		cmocka_unit_test(test_description),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
