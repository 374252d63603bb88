/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is remembered of cgroups that were removed, on a real cgroup2 file system; see cgroups_lab.h. */
#include "cgroups_lab.h"

#include "kernel/cgroups_state.h"

#include <stdlib.h>

static void take_in(void)
{
	bool changed;

	assert_int_equal(cgroups_read(cgroups, &changed), 0);
	cgroups_facts(cgroups, &facts);
}

/* Follow a model with these clients: those with a slash are paths, the others units. */
static void follow(const char *one, const char *other)
{
	const char *const names[] = { one, other };

	model_drop(&model);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		PUSH(&model.cgroups, ((struct cgroup_client){ .is_unit = !strchr(names[i], '/'),
							      .name = names[i] }));
	if (!cgroups)
		assert_int_equal(cgroups_open(root, &cgroups), 0);
	assert_int_equal(cgroups_follow(cgroups, &model), 0);
	cgroups_facts(cgroups, &facts);
}

static void check_former(uint32_t cgroup, uint64_t id)
{
	const struct former_cgroup *formers;

	assert_int_equal(facts_formers(&facts, cgroup, &formers), id ? 1 : 0);
	if (id)
		assert_int_equal(formers[0].id, id);
}

/* The same id by whatever the policy of the day calls it; what nothing names is kept for the next one. */
static void test_models(void **state)
{
	uint64_t unit, path;

	(void)state;
	NEED_CGROUP2();
	follow("a.service", "/t/b");
	make("s.slice/a.service");
	make("s.slice/c.service");
	make("t/b");
	take_in();
	unit = inode("s.slice/a.service");
	path = inode("t/b");
	unmake("s.slice/a.service");
	unmake("s.slice/c.service");
	unmake("t/b");
	take_in();
	assert_int_equal(facts.n_formers, 2);
	check_former(0, unit);
	check_former(1, path);
	assert_int_equal(facts.cgroup_ids[0], 0);
	follow("/s.slice/a.service", "b");
	check_former(0, unit);
	check_former(1, 0);			/* b below t, which is no slice, is no unit */
	follow("x.service", "/t/b");
	check_former(0, 0);
	check_former(1, path);
}

/* Removed between two models, or by a policy that named it no more: nobody has an event of it. */
static void test_between(void **state)
{
	uint64_t id;

	(void)state;
	NEED_CGROUP2();
	make("s.slice/a.service");
	make("s.slice/z.service");
	follow("a.service", "z.service");
	id = inode("s.slice/a.service");
	unmake("s.slice/a.service");
	follow("a.service", "z.service");
	check_former(0, id);
	check_former(1, 0);
	make("s.slice/a.service");
	follow("a.service", "z.service");
	assert_int_not_equal(facts.cgroup_ids[0], id);
	check_former(0, id);
}

static char *print(size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	assert_non_null(out);
	cgroups_print_formers(cgroups, out);
	(void)fclose(out);
	return text;
}

/* The newest, and the same of their text. */
static void test_many(void **state)
{
	char *AUTO(mem_drop) text = NULL;
	char *AUTO(mem_drop) again = NULL;
	uint64_t first = 0, last = 0;
	unsigned line;
	size_t len;

	(void)state;
	NEED_CGROUP2();
	follow("a.service", "/t/b");
	assert_false(cgroups_formers_changed(cgroups));
	for (unsigned i = 0; i < FORMERS_MAX + 10; i++) {
		make("a.service");
		take_in();
		last = facts.cgroup_ids[0];
		first = first ? first : last;
		unmake("a.service");
		take_in();
	}
	assert_true(cgroups_formers_changed(cgroups));
	assert_false(cgroups_formers_changed(cgroups));
	assert_int_equal(facts.n_formers, FORMERS_MAX);
	assert_true(facts.formers[0].id > first);	/* sorted; ids grow */
	assert_int_equal(facts.formers[FORMERS_MAX - 1].id, last);
	text = print(&len);
	cgroups_close(cgroups);
	cgroups = NULL;
	assert_int_equal(cgroups_open(root, &cgroups), 0);
	assert_int_equal(cgroups_read_formers(cgroups, text, len, &line), 0);
	assert_false(cgroups_formers_changed(cgroups));
	follow("a.service", "/t/b");
	assert_int_equal(facts.n_formers, FORMERS_MAX);
	again = print(&len);
	assert_string_equal(again, text);
}

static void test_text(void **state)
{
	static const struct { const char *what, *text; unsigned line; size_t known; } rows[] = {
		{ "nothing", "", 0, 0 },
		{ "two", "5 /a.service\n6 /a.service\n", 0, 2 },
		{ "an id twice", "5 /a.service\n5 /t/b\n", 0, 1 },
		{ "a last line that is not whole", "5 /a.service\n6 /a.ser", 0, 1 },
		{ "no path", "5 /a.service\n6\n", 2, 1 },
		{ "a path without a slash", "5 a.service\n", 1, 0 },
		{ "no number", "x /a.service\n", 1, 0 },
		{ "a sign", "-5 /a.service\n", 1, 0 },
		{ "0, which is none", "0 /a.service\n", 1, 0 },
		{ "a number too large", "18446744073709551616 /a.service\n", 1, 0 },
	};

	(void)state;
	NEED_CGROUP2();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned line;
		int r;

		cgroups_close(cgroups);
		cgroups = NULL;
		assert_int_equal(cgroups_open(root, &cgroups), 0);
		r = cgroups_read_formers(cgroups, rows[i].text, strlen(rows[i].text), &line);
		follow("a.service", "/t/b");
		if (r != (rows[i].line ? -EBADMSG : 0) || (r < 0 && line != rows[i].line) ||
		    facts.n_formers != rows[i].known)
			fail_msg("%s: got %d, line %u, %zu", rows[i].what, r, line, facts.n_formers);
	}
	assert_int_equal(cgroups_read_formers(cgroups, "7 /a\0b\n", 7, &(unsigned){ 0 }), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_models, tear_down),
		cmocka_unit_test_teardown(test_between, tear_down),
		cmocka_unit_test_teardown(test_many, tear_down),
		cmocka_unit_test_teardown(test_text, tear_down),
	};

	return cmocka_run_group_tests_name("cgroups_former", tests, find_root, remove_root);
}
