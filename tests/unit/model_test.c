/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model's own operations: the index of names, the mask's arithmetic, destinations, places. */
#include "conf_rows.h"

static void test_names(void **unused)
{
	enum { MANY = 5000 };
	AUTO(model_drop) struct model model = { 0 };
	char name[32];

	(void)unused;
	assert_int_equal(model_find(&model, "0"), NO_INDEX);
	for (uint32_t i = 0; i < MANY; i++) {
		struct binding binding = { .where.line = i };

		snprintf(name, sizeof name, "b%u", i);
		binding.name = arena_text(&model.arena, name, strlen(name));
		assert_int_equal(model_add_binding(&model, &binding), i);
		assert_int_equal(model_add_binding(&model, &binding), NO_INDEX);
	}
	assert_int_equal(model.bindings.n, MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "b%u", i);
		assert_int_equal(model_find(&model, name), i);
		snprintf(name, sizeof name, "B%u", i);
		assert_int_equal(model_find(&model, name), NO_INDEX);
	}
	model_drop(&model);
	assert_int_equal(model_find(&model, "b0"), NO_INDEX);
	model_drop(&model);
}

static void test_capacity(void **unused)
{
	static const struct {
		uint32_t mask, want;
	} rows[] = { { 0, 0 }, { 1, 0 }, { 3, 1 }, { 0x700, 5 }, { 0x1fff, 8189 },
		     { UINT32_MAX, UINT32_MAX - 2 } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(model_mask_capacity((struct fwmark){ rows[i].mask }),
				 rows[i].want);
}

static void test_place(void **unused)
{
	AUTO(model_drop) struct model model = { 0 };
	char text[32];

	(void)unused;
	PUSH(&model.files, "a.conf");
	assert_string_equal(model_place(&model, (struct where){ 0, 3, 7 }, text, sizeof text),
			    "a.conf:3:7");
	assert_string_equal(model_place(&model, (struct where){ 0, 0, 0 }, text, sizeof text),
			    "a.conf");
	assert_string_equal(model_place(&model, (struct where){ 9, 1, 1 }, text, sizeof text),
			    "?:1:1");
	assert_string_equal(model_place(&model, (struct where){ 0, 3, 7 }, text, 4), "a.c");
}

/* What one rule's qualifiers become; NULL for none. */
static const struct destination *destination(struct model *model, const char *qualifiers)
{
	AUTO(diag_drop) struct diag diag = { 0 };
	char text[256];

	snprintf(text, sizeof text, "policy { otherwise %s pass; }", qualifiers);
	if (fake_read_text(text, 0, model, &diag) < 0)
		fail_msg("%s: %s", qualifiers, fake_found(model, &diag, false));
	return model->rules.at[0].to;
}

static void test_destinations(void **unused)
{
	enum { EQUAL, OUTER, INNER, APART };	/* @a against @b */
	static const struct {
		const char *a, *b;
		int want;
	} rows[] = {
		{ "", "", EQUAL },
		{ "", "port 25", OUTER },
		{ "port 25", "", INNER },
		{ "to 0.0.0.0/0, ::/0", "", EQUAL },
		{ "to 0.0.0.0/0", "", INNER },
		{ "port 25,26", "port 25-26", EQUAL },
		{ "port 25", "port 25 protocol tcp", OUTER },
		{ "port 25", "port 25 protocol tcp,udp,sctp,dccp,udplite", EQUAL },
		{ "protocol tcp", "port 25 protocol tcp", OUTER },
		{ "protocol tcp", "port 25", APART },
		{ "protocol tcp,udp,sctp,dccp,udplite", "port 25", OUTER },
		{ "protocol tcp", "protocol udp", APART },
		{ "protocol icmp", "protocol icmpv6", OUTER },
		{ "port 1-100", "port 20,30-40", OUTER },
		{ "port 1-100", "port 20,100-101", APART },
		{ "to 10.0.0.0/8", "to 10.1.0.0/16, 10.2.0.0/16", OUTER },
		{ "to 10.0.0.0/8", "to 10.1.0.0/16, 11.0.0.0/16", APART },
		{ "to 10.0.0.0/8", "to 10.0.0.0/8 port 25", OUTER },
		{ "to 10.0.0.0/8", "port 25", APART },
		{ "to 10.0.0.0/9, 10.128.0.0/9", "to 10.0.0.0/8", EQUAL },
		{ "to ::/0", "to 0.0.0.0/0", APART },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(model_drop) struct model left = { 0 };
		AUTO(model_drop) struct model right = { 0 };
		const struct destination *a = destination(&left, rows[i].a);
		const struct destination *b = destination(&right, rows[i].b);
		bool outer = destination_contains(a, b), inner = destination_contains(b, a);
		int got = outer && inner ? EQUAL : outer ? OUTER : inner ? INNER : APART;

		if (got != rows[i].want || destination_equal(a, b) != (got == EQUAL))
			fail_msg("'%s' against '%s': got %d, want %d, equal %d", rows[i].a, rows[i].b,
				 got, rows[i].want, destination_equal(a, b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_destinations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
