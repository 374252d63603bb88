/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers stay with their names; the text form is believed only when it is whole. */
#include "base/mem.h"
#include "plan/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Assign to the bindings named in @names ("a b c", and uplinks "^x", which come last in @want); @want
 * is "1 2 3" or an errno as text. */
static bool assign(struct numbers *numbers, uint32_t mask, const char *names, const char *want)
{
	struct model model = { .mask = { mask } };
	char got[256] = "", text[256], *rest = text, *name;
	uint32_t *given = NULL;
	bool changed = false;
	int r;

	snprintf(text, sizeof text, "%s", names);
	while ((name = strsep(&rest, " ")))
		if (*name == '^')
			PUSH(&model.uplinks, ((struct uplink){ .name = name + 1 }));
		else if (*name)
			model_add_binding(&model, &(struct binding){ .name = name,
								     .unusable_use = NO_INDEX,
								     .uplink = NO_INDEX,
								     .overflow = NO_INDEX });
	r = numbers_assign(numbers, &model, &given, &changed);
	if (r < 0)
		snprintf(got, sizeof got, "%d", r);
	for (size_t i = 0; r == 0 && i < model.bindings.n + model.uplinks.n; i++)
		sprintf(got + strlen(got), "%s%u", i ? " " : "", given[i]);
	if (strcmp(got, want) != 0)
		fail_msg("mask %#x, %s: got %s, want %s", mask, names, got, want);
	free(given);
	model_drop(&model);
	return changed;
}

static void test_stable(void **unused)
{
	AUTO(numbers_drop) struct numbers numbers = { 0 };

	(void)unused;
	assert_true(assign(&numbers, 0xff, "a b c", "1 2 3"));
	assert_false(assign(&numbers, 0xff, "c a b", "3 1 2"));
	assert_true(assign(&numbers, 0xff, "c d", "3 4"));
	assert_true(assign(&numbers, 0xff, "e b", "5 2"));
	assert_false(assign(&numbers, 0xff, "e b", "5 2"));
	assert_true(assign(&numbers, 0xff, "", ""));
	assert_true(assign(&numbers, 0xff, "a", "1"));
}

/* A mask of three bits has the numbers 1 to 5. */
static void test_oldest_is_reused_last(void **unused)
{
	AUTO(numbers_drop) struct numbers numbers = { 0 };

	(void)unused;
	assign(&numbers, 7, "a b c d", "1 2 3 4");
	assign(&numbers, 7, "a c d", "1 3 4");		/* b retired first */
	assign(&numbers, 7, "c d", "3 4");		/* then a */
	assign(&numbers, 7, "c d e", "3 4 5");		/* the last fresh one */
	assign(&numbers, 7, "c d e f", "3 4 5 2");	/* b's: it has been away longest */
	assign(&numbers, 7, "c d e f b", "3 4 5 2 1");	/* b comes back to what was a's */
	assign(&numbers, 7, "c d e f b a", "-28");
	assign(&numbers, 7, "f e", "2 5");
	assign(&numbers, 0x700, "f e c", "2 5 3");
}

/* Of few bits, and never one that a binding of the same name has or had. */
static void test_uplinks(void **unused)
{
	AUTO(numbers_drop) struct numbers numbers = { 0 };

	(void)unused;
	assert_true(assign(&numbers, 0xff, "a ^a b ^c", "1 2 128 64"));
	assert_false(assign(&numbers, 0xff, "^c b ^a a", "2 1 64 128"));
	assert_true(assign(&numbers, 0xff, "a b ^a", "1 2 128"));
	assert_true(assign(&numbers, 0xff, "a b ^a ^d ^c", "1 2 128 32 64"));
	assert_true(assign(&numbers, 0xff, "^e ^f ^g ^h", "16 8 4 192"));
}

static void test_uplinks_fill_a_mask(void **unused)
{
	AUTO(numbers_drop) struct numbers numbers = { 0 };

	(void)unused;
	assign(&numbers, 7, "a b ^x", "1 2 4");
	assign(&numbers, 7, "a b ^x ^y", "1 2 4 5");
	assign(&numbers, 7, "a b c ^x ^y", "1 2 3 4 5");
	assign(&numbers, 7, "a b c d ^x ^y", "-28");
	assign(&numbers, 7, "a b c d ^x", "1 2 3 5 4");
}

static void test_smaller_mask(void **unused)
{
	AUTO(numbers_drop) struct numbers numbers = { 0 };

	(void)unused;
	assign(&numbers, 0xff, "a b c d e f g h", "1 2 3 4 5 6 7 8");
	assign(&numbers, 7, "g h", "1 2");		/* theirs do not fit; a and b went first */
	assert_false(assign(&numbers, 7, "g h", "1 2"));
	assign(&numbers, 0xff, "a g h i", "7 1 2 9");
}

struct living { uint32_t marks[4]; int result; unsigned n_asked; };

static int ask_living(void *context, struct fwmark mask, const struct fwmark *marks, size_t n,
		      bool *ret_carried)
{
	struct living *living = context;

	living->n_asked++;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(marks[i].host & ~mask.host, 0);
		ret_carried[i] = false;
		for (size_t j = 0; j < ARRAY_LEN(living->marks); j++)
			ret_carried[i] = ret_carried[i] || living->marks[j] == marks[i].host;
	}
	return living->result;
}

/* What a socket or a connection carries is not given away, whenever it was retired. */
static void test_carried_is_kept(void **unused)
{
	AUTO(numbers_drop) struct numbers numbers = { 0 };
	struct living living = { .marks = { 0x100 } };

	(void)unused;
	numbers.ask = ask_living;
	numbers.context = &living;
	assign(&numbers, 0x700, "a b c d", "1 2 3 4");
	assign(&numbers, 0x700, "c d", "3 4");		/* a and b retired together: a first */
	assign(&numbers, 0x700, "c d e", "3 4 5");
	assert_int_equal(living.n_asked, 0);		/* while there were fresh ones */
	assign(&numbers, 0x700, "c d e f", "3 4 5 2");	/* not a's 1 */
	assert_int_equal(living.n_asked, 1);
	assign(&numbers, 0x700, "c d e f a", "3 4 5 2 1");	/* a itself may have it back */
}

static void test_all_are_carried(void **unused)
{
	AUTO(numbers_drop) struct numbers numbers = { 0 }, again = { 0 };
	struct living living = { .marks = { 1, 2 } };

	(void)unused;
	assign(&numbers, 7, "a b c d e", "1 2 3 4 5");
	assign(&numbers, 7, "c d e", "3 4 5");
	numbers.ask = ask_living;
	numbers.context = &living;
	assign(&numbers, 7, "c d e f", "-16");
	numbers_drop(&numbers);
	assign(&again, 7, "a b c d e", "1 2 3 4 5");
	assign(&again, 7, "c d e", "3 4 5");
	again.ask = ask_living;
	again.context = &living;
	living = (struct living){ .result = -EINTR };	/* it cannot be told */
	assign(&again, 7, "c d e f", "-16");
}

/* Swapped with one that does not fit the mask: the swap too takes only what nothing carries. */
static void test_carried_and_smaller_mask(void **unused)
{
	AUTO(numbers_drop) struct numbers numbers = { 0 };
	struct living living = { .marks = { 1 } };

	(void)unused;
	assign(&numbers, 0xff, "a b c d e f g", "1 2 3 4 5 6 7");
	numbers.ask = ask_living;
	numbers.context = &living;
	assign(&numbers, 7, "c d e g", "3 4 5 2");
}

static const struct { const char *what, *text; uint32_t want; } files[] = {
	{ "an empty text", "", 0 },
	{ "no entry", "outbind-numbers 1\n", 0 },
	{ "an uplink", "outbind-numbers 1\n1 0 a\n7 3 uplink:a\n", 0 },
	{ "an uplink without a name", "outbind-numbers 1\n1 0 uplink:\n", 2 },
	{ "an uplink's name with a colon", "outbind-numbers 1\n1 0 uplink:uplink:a\n", 2 },
	{ "two entries", "outbind-numbers 1\n1 0 a\n7 3 b\n", 0 },
	{ "the highest number", "outbind-numbers 1\n4294967295 0 a\n", 0 },
	{ "another version", "outbind-numbers 2\n", 1 },
	{ "no version", "1 0 a\n", 1 },
	{ "a version line cut off", "outbind-numbers 1", 1 },
	{ "a last line cut off", "outbind-numbers 1\n1 0 a\n2 0 b", 3 },
	{ "number zero", "outbind-numbers 1\n0 0 a\n", 2 },
	{ "a number too large", "outbind-numbers 1\n4294967296 0 a\n", 2 },
	{ "a negative number", "outbind-numbers 1\n-1 0 a\n", 2 },
	{ "a leading zero", "outbind-numbers 1\n01 0 a\n", 2 },
	{ "a number twice", "outbind-numbers 1\n1 0 a\n2 0 b\n1 0 c\n", 4 },
	{ "a name twice", "outbind-numbers 1\n1 0 a\n2 0 a\n", 3 },
	{ "an empty line", "outbind-numbers 1\n\n1 0 a\n", 2 },
	{ "no name", "outbind-numbers 1\n1 0 \n", 2 },
	{ "no retirement", "outbind-numbers 1\n1 a\n", 2 },
	{ "a space in a name", "outbind-numbers 1\n1 0 a b\n", 2 },
	{ "a colon in a name", "outbind-numbers 1\n1 0 a:b\n", 2 },
	{ "a line that ends after its number", "outbind-numbers 1\n1\n", 2 },
	{ "retired beyond 64 bits", "outbind-numbers 1\n1 18446744073709551616 a\n", 2 },
	{ "a name of 64 bytes", "outbind-numbers 1\n1 0 "
	  "0123456789012345678901234567890123456789012345678901234567890123\n", 2 },
};

static void test_files(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		AUTO(numbers_drop) struct numbers numbers = { 0 };
		size_t len = strlen(files[i].text);
		char *AUTO(mem_drop) exact = malloc(len ? len : 1);	/* no NUL to lean on */
		uint32_t line = 0;
		int r;

		assert_non_null(exact);
		memcpy(exact, files[i].text, len);
		r = numbers_read(exact, len, &numbers, &line);
		if (r != (files[i].want ? -EINVAL : 0) || line != files[i].want)
			fail_msg("%s: got %d at line %u, want line %u", files[i].what, r, line,
				 files[i].want);
	}
}

static void test_write_read(void **unused)
{
	AUTO(numbers_drop) struct numbers first = { 0 }, second = { 0 };
	char *AUTO(mem_drop) one = NULL, *AUTO(mem_drop) two = NULL;
	size_t len_one, len_two;
	uint32_t line;
	FILE *out;

	(void)unused;
	assign(&first, 0xff, "a b c", "1 2 3");
	assign(&first, 0xff, "a c d", "1 3 4");
	out = open_memstream(&one, &len_one);
	numbers_write(&first, out);
	fclose(out);
	assert_string_equal(one, "outbind-numbers 1\n1 0 a\n2 1 b\n3 0 c\n4 0 d\n");
	assert_int_equal(numbers_read(one, len_one, &second, &line), 0);
	out = open_memstream(&two, &len_two);
	numbers_write(&second, out);
	fclose(out);
	assert_string_equal(one, two);
	assert_false(assign(&second, 0xff, "a c d", "1 3 4"));
	assert_true(assign(&second, 0xff, "c d", "3 4"));
	assert_int_equal(second.retirements, 2);
}

static void test_many(void **unused)
{
	enum { MANY = 1000 * 1000 };
	AUTO(numbers_drop) struct numbers numbers = { 0 };
	struct model model = { .mask = { 0xffffffff } };
	uint32_t *given;
	char name[16];
	bool changed;

	(void)unused;
	for (uint32_t i = 0; i < MANY; i++) {
		struct binding binding = { 0 };
		int len = sprintf(name, "b%u", i);

		binding.name = arena_text(&model.arena, name, (size_t)len);
		model_add_binding(&model, &binding);
	}
	for (int again = 0; again < 2; again++) {
		assert_int_equal(numbers_assign(&numbers, &model, &given, &changed), 0);
		assert_int_equal(changed, again == 0);
		assert_int_equal(given[MANY - 1], MANY);
		free(given);
	}
	model_drop(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stable),
		cmocka_unit_test(test_oldest_is_reused_last),
		cmocka_unit_test(test_uplinks),
		cmocka_unit_test(test_uplinks_fill_a_mask),
		cmocka_unit_test(test_smaller_mask),
		cmocka_unit_test(test_carried_is_kept),
		cmocka_unit_test(test_all_are_carried),
		cmocka_unit_test(test_carried_and_smaller_mask),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_write_read),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
