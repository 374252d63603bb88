/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cgroups_*() against a real cgroup2 file system, below a directory of our own in it that is
 * removed at the end, also after a failure. Needs root and cgroup2 mounted somewhere.
 */
#include "cgroups_lab.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* Follow a model with these clients: those with a slash are paths, the others units. */
static void follow(const char *const *names)
{
	model_drop(&model);
	for (; *names; names++) {
		struct cgroup_client client = { .is_unit = !strchr(*names, '/'), .name = *names };

		PUSH(&model.cgroups, client);
	}
	if (!cgroups)
		assert_int_equal(cgroups_open(root, &cgroups), 0);
	assert_int_equal(cgroups_follow(cgroups, &model), 0);
	cgroups_facts(cgroups, &facts);
}

/* Take in events; true if an id changed. */
static bool take_in(void)
{
	struct pollfd polled = { .fd = cgroups_fd(cgroups), .events = POLLIN };
	bool any = false;

	for (int i = 0; i < 100 && poll(&polled, 1, 0) > 0; i++) {
		bool changed = false;

		assert_int_equal(cgroups_read(cgroups, &changed), 0);
		any = any || changed;
	}
	cgroups_facts(cgroups, &facts);
	return any;
}

static void test_open(void **state)
{
	static const struct {
		const char *what, *path;
		int want;
	} rows[] = {
		{ "nothing there", "/nowhere/at/all", -ENOENT },
		{ "another file system", "/proc", -EMEDIUMTYPE },
		{ "a file", "/etc/passwd", -ENOTDIR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int got = cgroups_open(rows[i].path, &cgroups);

		if (got != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].what, got, rows[i].want);
	}
	cgroups_close(NULL);
}

static void test_found_at_start(void **state)
{
	static const struct {
		const char *what, *name, *path; /* path NULL: not to be found */
	} rows[] = {
		{ "a unit in a slice", "web.service", "system.slice/web.service" },
		{ "an instance in a nested slice", "n@a.service",
		  "system.slice/system-n.slice/n@a.service" },
		{ "a slice", "system-n.slice", "system.slice/system-n.slice" },
		{ "a unit at the root", "init.scope", "init.scope" },
		{ "a name below a service is not the unit", "evil.service", NULL },
		{ "a unit that is not there", "gone.service", NULL },
		{ "a path", "/machine/box/payload", "machine/box/payload" },
		{ "a path with slashes too many", "//machine//box/", "machine/box" },
		{ "a path through a service", "/system.slice/web.service/evil.service",
		  "system.slice/web.service/evil.service" },
		{ "a path that is not there", "/machine/box/other", NULL },
		{ "a path out of the root", "/machine/../../..", NULL },
		{ "a path that is a file", "/machine/cgroup.procs", NULL },
		{ "the name nearest the root wins", "twice.service", "b.slice/twice.service" },
	};
	const char *names[ARRAY_LEN(rows) + 1] = { 0 };

	(void)state;
	NEED_CGROUP2();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		names[i] = rows[i].name;
	make("system.slice/web.service/evil.service");
	make("system.slice/system-n.slice/n@a.service");
	make("machine/box/payload");
	make("machine/gone.service");
	make("init.scope");
	make("a.slice/a-a.slice/twice.service");
	make("b.slice/twice.service");
	follow(names);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t want = rows[i].path ? inode(rows[i].path) : 0;

		if (facts.cgroup_ids[i] != want)
			fail_msg("%s: got %llu, want %llu", rows[i].what,
				 (unsigned long long)facts.cgroup_ids[i], (unsigned long long)want);
	}
	assert_string_equal(cgroups_unit_path(cgroups, "web.service"), "/system.slice/web.service");
	assert_null(cgroups_unit_path(cgroups, "evil.service"));
	assert_string_equal(cgroups_path_of(cgroups, inode("machine/box")) + strlen(root) -
				    strlen(mount_point),
			    "/machine/box");
	assert_null(cgroups_path_of(cgroups, 1));
}

static const char *const changing[] = { "web.service", "/t/deep/er/x", "late.slice", NULL };
/* "+a" makes, "-a" removes; want: the directory that the client has then, "" for none */
static const struct {
	const char *what, *doing[4];
	bool changed;
	const char *want[3];
} changes[] = {
	{ "nothing yet", { 0 }, false, { "", "", "" } },
	{ "the unit in a slice made with it",
	  { "+s.slice/web.service" },
	  true,
	  { "s.slice/web.service", "", "" } },
	{ "its own children do not matter",
	  { "+s.slice/web.service/web.service" },
	  false,
	  { "s.slice/web.service", "", "" } },
	{ "gone",
	  { "-s.slice/web.service/web.service", "-s.slice/web.service" },
	  true,
	  { "", "", "" } },
	{ "back, and gone and back again",
	  { "+s.slice/web.service", "-s.slice/web.service", "+s.slice/web.service" },
	  true,
	  { "s.slice/web.service", "", "" } },
	{ "recreated between two looks",
	  { "-s.slice/web.service", "+s.slice/web.service" },
	  true,
	  { "s.slice/web.service", "", "" } },
	{ "recreated with its slice",
	  { "-s.slice/web.service", "-s.slice", "+s.slice/web.service" },
	  true,
	  { "s.slice/web.service", "", "" } },
	{ "another of its name, further away",
	  { "+s.slice/s-a.slice/web.service" },
	  true,
	  { "s.slice/web.service", "", "" } },
	{ "which is the one when the first goes",
	  { "-s.slice/web.service" },
	  true,
	  { "s.slice/s-a.slice/web.service", "", "" } },
	{ "half of the path",
	  { "+t/deep" },
	  false,
	  { "s.slice/s-a.slice/web.service", "", "" } },
	{ "all of it",
	  { "+t/deep/er/x" },
	  true,
	  { "s.slice/s-a.slice/web.service", "t/deep/er/x", "" } },
	{ "its neighbours do not matter",
	  { "+t/deep/er/y", "+t/z" },
	  false,
	  { "s.slice/s-a.slice/web.service", "t/deep/er/x", "" } },
	{ "recreated from the top",
	  { "-t/deep/er/x", "-t/deep/er/y", "-t/deep/er", "+t/deep/er/x" },
	  true,
	  { "s.slice/s-a.slice/web.service", "t/deep/er/x", "" } },
	{ "a slice",
	  { "+late.slice" },
	  true,
	  { "s.slice/s-a.slice/web.service", "t/deep/er/x", "late.slice" } },
	{ "a file's worth of nothing",
	  { 0 },
	  false,
	  { "s.slice/s-a.slice/web.service", "t/deep/er/x", "late.slice" } },
};

static void test_changes(void **state)
{
	(void)state;
	NEED_CGROUP2();
	follow(changing);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		for (size_t k = 0; k < 4 && changes[i].doing[k]; k++)
			(changes[i].doing[k][0] == '+' ? make : unmake)(changes[i].doing[k] + 1);
		if (take_in() != changes[i].changed)
			fail_msg("%s: changed: want %d", changes[i].what, changes[i].changed);
		for (size_t k = 0; k < 3; k++) {
			uint64_t want = changes[i].want[k][0] ? inode(changes[i].want[k]) : 0;

			if (facts.cgroup_ids[k] != want)
				fail_msg("%s: %s: got %llu, want %llu", changes[i].what, changing[k],
					 (unsigned long long)facts.cgroup_ids[k],
					 (unsigned long long)want);
		}
	}
}

/* The unit's slice is named as a path too, and is above another path. */
static void test_roles_combine(void **state)
{
	static const char *const names[] = {
		"/a.slice", "/a.slice/x.service/y", "x.service", "a.slice", "-.slice", "/", NULL
	};
	static const char *const paths[] = {
		"a.slice", "a.slice/x.service/y", "a.slice/x.service", "a.slice", "", ""
	};

	(void)state;
	NEED_CGROUP2();
	follow(names);
	for (int round = 0; round < 2; round++) {
		make("a.slice/x.service/y");
		assert_true(take_in());
		for (size_t i = 0; i < ARRAY_LEN(paths); i++)
			assert_int_equal(facts.cgroup_ids[i], inode(paths[i]));
		unmake("a.slice/x.service/y");
		unmake("a.slice/x.service");
		unmake("a.slice");
		assert_true(take_in());
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(facts.cgroup_ids[i], 0);
	}
}

static void test_another_model(void **state)
{
	static const char *const first[] = { "/t/a", "u.service", NULL };
	static const char *const second[] = { "/t/b", NULL };

	(void)state;
	NEED_CGROUP2();
	make("t/a");
	follow(first);
	make("t/b"); /* an event of the first model that nobody reads */
	make("s.slice/u.service");
	follow(second);
	assert_int_equal(facts.cgroup_ids[0], inode("t/b"));
	assert_false(take_in());
	assert_null(cgroups_unit_path(cgroups, "u.service"));
	unmake("t/b");
	assert_true(take_in());
	assert_int_equal(facts.cgroup_ids[0], 0);
	follow(first);
	assert_int_equal(facts.cgroup_ids[0], inode("t/a"));
	assert_int_equal(facts.cgroup_ids[1], inode("s.slice/u.service"));
}

/* More events than inotify queues, the last of which matter. */
static void test_overflow(void **state)
{
	static const char *const names[] = { "/t/x", "u.service", "/t/old", NULL };
	FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	int limit = 0;

	(void)state;
	if (file) {
		if (fscanf(file, "%d", &limit) != 1)
			limit = 0;
		(void)fclose(file);
	}
	NEED_CGROUP2();
	if (limit == 0 || limit > 100 * 1000) {
		print_message("the inotify queue is too long to fill\n");
		skip();
	}
	make("t/old");
	make("s.slice");
	follow(names);
	for (int i = 0; i < limit / 2 + 10; i++) {
		make("t/flood");
		unmake("t/flood");
	}
	unmake("t/old");
	make("t/x");
	make("s.slice/s-n.slice/u.service");
	assert_true(take_in());
	assert_int_equal(facts.cgroup_ids[0], inode("t/x"));
	assert_int_equal(facts.cgroup_ids[1], inode("s.slice/s-n.slice/u.service"));
	assert_int_equal(facts.cgroup_ids[2], 0);
	unmake("s.slice/s-n.slice/u.service"); /* what was found by that is watched */
	assert_true(take_in());
	assert_int_equal(facts.cgroup_ids[1], 0);
}

static uint32_t add(const char *name)
{
	return model_add_binding(&model, &(struct binding){ .name = name });
}

static bool find_exec(const char *binding, bool slice, char **ret_path)
{
	bool there;

	assert_int_equal(cgroups_find_exec(cgroups, binding, slice, ret_path, &there), 0);
	return there;
}

static void test_exec(void **state)
{
	static const char *const rows[][2] = {
		{ "acme", "acme" }, { "acme.example", "acme.example" }, { "a/b", "a\\x2fb" },
		{ ".hidden", "\\x2ehidden" }, { "a\\x2fb", "a\\x5cx2fb" },
		{ "cgroup.procs", "cgroup\\x2eprocs" }, { "memory.max", "memory\\x2emax" },
	};
	static const char *const none[] = { NULL };

	(void)state;
	NEED_CGROUP2();
	follow(none);
	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(add(rows[i][0]), i);
	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *AUTO(mem_drop) path = NULL;
		char want[PATH_MAX];

		snprintf(want, sizeof want, EXEC_PARENT "/%s", rows[i][1]);
		assert_false(find_exec(rows[i][0], false, &path));
		assert_string_equal(path, below_root(want));
		mem_drop(&path);
		if (i == 0)
			make(EXEC_PARENT);
		make(want);
		assert_true(find_exec(rows[i][0], false, &path));
		assert_string_equal(path, below_root(want));
		cgroups_facts(cgroups, &facts); /* known before the event comes */
		assert_int_equal(facts.n_execs, i + 1);
		for (size_t k = 0; k < facts.n_execs; k++)
			if (facts.execs[k].binding == i)
				assert_int_equal(facts.execs[k].id, inode(want));
	}
	assert_true(take_in());
	assert_int_equal(facts.n_execs, ARRAY_LEN(rows));
	make(EXEC_PARENT "/stranger");
	assert_false(take_in());
	unmake(EXEC_PARENT "/acme");
	assert_true(take_in());
	assert_int_equal(facts.n_execs, ARRAY_LEN(rows));	/* its sockets may live on */
	assert_int_equal(cgroups_follow(cgroups, &model), 0);
	cgroups_facts(cgroups, &facts);
	assert_int_equal(facts.n_execs, ARRAY_LEN(rows));
}

/* The same where systemd makes them: the name of the slice tells the binding. */
static void test_exec_slices(void **state)
{
	static const char *const none[] = { NULL }, *const rows[][2] = {
		{ "acme", "acme" }, { "acme.example", "acme.example" }, { "a-b", "a\\x2db" },
		{ "a/b", "a\\x2fb" }, { ".hidden", "\\x2ehidden" }, { "a\\x2fb", "a\\x5cx2fb" },
	};
	char *AUTO(mem_drop) path = NULL;
	char want[PATH_MAX];

	(void)state;
	NEED_CGROUP2();
	follow(none);
	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(add(rows[i][0]), i);
	assert_int_equal(cgroups_follow(cgroups, &model), 0);
	make("outbind.slice");
	make(EXEC_SLICE);
	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(want, sizeof want, EXEC_SLICE "/" EXEC_SLICE_PREFIX "%s.slice", rows[i][1]);
		make(want);
		mem_drop(&path);
		assert_true(find_exec(rows[i][0], true, &path));
		assert_string_equal(path, below_root(want));
	}
	assert_true(take_in());
	assert_int_equal(facts.n_execs, ARRAY_LEN(rows));
}

static void test_questions(void **state)
{
	uint64_t ids[16];

	(void)state;
	NEED_CGROUP2();
	make("a/b/c");
	assert_int_equal(cgroups_open(root, &cgroups), 0);
	assert_int_equal(cgroups_chain(cgroups, "/a/b/", ids), 0);
	assert_int_equal(ids[0], inode("a/b"));
	assert_int_equal(cgroups_chain(cgroups, "/a/x", ids), -ENOENT);
	assert_int_equal(cgroups_chain(cgroups, "/../", ids), -ENOENT);
	assert_int_equal(cgroups_chain(cgroups, "/a/b/c", ids), 0);
	assert_int_equal(ids[0], inode("a/b/c"));
	assert_int_equal(ids[1], inode("a/b"));
	assert_int_equal(ids[2], inode("a"));
	assert_int_equal(ids[3], 0);
	make("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17");
	assert_int_equal(cgroups_chain(cgroups, "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", ids),
			 0);
	assert_int_equal(ids[0], inode("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15"));
	assert_int_equal(ids[14], inode("1"));
	assert_int_equal(ids[15], 0);
}

/* Thousands of clients in few directories: as many watches as directories. */
static void test_many(void **state)
{
	enum { MANY = 100 * 1000 };
	static char text[MANY][32];
	char **names = mem_zero(MANY + 1, sizeof *names);
	char link[64], line[256];
	size_t watches = 0;
	FILE *file;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(text[i], sizeof text[i], i % 2 ? "/t%d/c%d" : "%dc%d.service", i % 8, i);
		names[i] = text[i];
	}
	if (!root[0]) {
		free(names);
		skip();
	}
	for (int i = 0; i < 8; i++) {
		snprintf(line, sizeof line, "t%d", i);
		make(line);
	}
	follow((const char *const *)names);
	free(names);
	make("t1/c1");
	make("x.slice/0c8.service");
	assert_true(take_in());
	assert_int_equal(facts.cgroup_ids[1], inode("t1/c1"));
	assert_int_equal(facts.cgroup_ids[8], inode("x.slice/0c8.service"));
	snprintf(link, sizeof link, "/proc/self/fdinfo/%d", cgroups_fd(cgroups));
	file = fopen(link, "re");
	assert_non_null(file);
	while (fgets(line, sizeof line, file))
		watches += strncmp(line, "inotify wd", 10) == 0;
	(void)fclose(file);
	assert_int_equal(watches, 1 + 4 + 1); /* the root, t1 t3 t5 t7, x.slice */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_open, tear_down),
		cmocka_unit_test_teardown(test_found_at_start, tear_down),
		cmocka_unit_test_teardown(test_changes, tear_down),
		cmocka_unit_test_teardown(test_roles_combine, tear_down),
		cmocka_unit_test_teardown(test_another_model, tear_down),
		cmocka_unit_test_teardown(test_exec, tear_down),
		cmocka_unit_test_teardown(test_exec_slices, tear_down),
		cmocka_unit_test_teardown(test_questions, tear_down),
		cmocka_unit_test_teardown(test_many, tear_down),
		cmocka_unit_test_teardown(test_overflow, tear_down),
	};

	return cmocka_run_group_tests_name("cgroups", tests, find_root, remove_root);
}
