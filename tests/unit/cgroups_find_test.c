/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a visitor is, in a real cgroup2 file system, by each of the two ways there are to know one: the
 * kernel's own tells its cgroup or not, so what an older one would tell is made up. Needs root.
 */
#include "cgroups_lab.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

/* What /proc/PID/cgroup says is below our root, or not. */
static void test_below(void **state)
{
	static const struct { const char *below, *want; int error; } rows[] = {
		{ "", "/", 0 },
		{ "/a/b", "/a/b", 0 },
		{ "/a/b (deleted)", NULL, -ENOENT },
		{ "x/a", NULL, -EXDEV },
	};
	char *AUTO(mem_drop) prefix = NULL;

	(void)state;
	NEED_CGROUP2();
	assert_int_equal(cgroups_open(root, &cgroups), 0);
	prefix = mem_copy(root + strlen(mount_point));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *AUTO(mem_drop) path = NULL, *AUTO(mem_drop) full = NULL;

		assert_true(asprintf(&full, "%s%s", prefix, rows[i].below) > 0);
		assert_int_equal(cgroups_below(cgroups, full, &path), rows[i].error);
		if (rows[i].want)
			assert_string_equal(path, rows[i].want);
	}
	for (size_t i = 0; i < 4; i++) {
		static const char *const outside[] = { "", "/", "/../x", "a" };
		char *path = NULL;

		assert_int_equal(cgroups_below(cgroups, outside[i], &path), -EXDEV);
	}
}

static void write_to(const char *path, const char *text)
{
	FILE *file = fopen(below_root(path), "we");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		fail_msg("%s: %s", path, strerror(errno));
}

/* A child of ours in the cgroup at @path, as a kernel tells of it that knows no cgroup of a pidfd. */
static struct visitor start_in(const char *path)
{
	struct visitor visitor = VISITOR_NONE;
	char *AUTO(mem_drop) procs = NULL;
	char number[16];

	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	assert_true(asprintf(&procs, "%s/cgroup.procs", path) > 0);
	snprintf(number, sizeof number, "%d", (int)child);
	write_to(procs, number);
	visitor.pid = (int)child;
	visitor.pidfd.n = (int)syscall(SYS_pidfd_open, child, 0);
	assert_true(visitor.pidfd.n >= 0);
	return visitor;
}

static void stop_child(void)
{
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	child = 0;
}

/* Where @visitor is found below @top (NULL: nowhere), whatever it is known by. */
static void check_find(const char *top, const struct visitor *visitor, const char *want)
{
	char *AUTO(mem_drop) path = NULL;
	int r = cgroups_find(cgroups, top, visitor, &path);

	if (r != (want ? 0 : -ENOENT))
		fail_msg("below %s: %s", top, strerror(-r));
	if (want)
		assert_string_equal(path, want);
}

static void test_find(void **state)
{
	struct visitor by_pid, by_id = VISITOR_NONE, nobody = VISITOR_NONE;

	(void)state;
	NEED_CGROUP2();
	make("a/b/c/d");
	make("a/x/y");
	make("ab");
	assert_int_equal(cgroups_open(root, &cgroups), 0);
	by_pid = start_in("a/b/c");
	by_id.cgroup = inode("a/b/c");
	for (const struct visitor *visitor = &by_pid; visitor;
	     visitor = visitor == &by_pid ? &by_id : NULL) {
		check_find("/a/b/c", visitor, "/a/b/c");
		check_find("//a/b/c/", visitor, "/a/b/c");
		check_find("/a", visitor, "/a/b/c");
		check_find("/", visitor, "/a/b/c");
		check_find("/a/b/c/d", visitor, NULL);
		check_find("/a/x", visitor, NULL);
		check_find("/ab", visitor, NULL);
		check_find("/../", visitor, NULL);
		check_find("/none", visitor, NULL);
	}
	check_find("/", &nobody, NULL);
	stop_child();
	check_find("/a", &by_pid, NULL);
	visitor_drop(&by_pid);
}

/* The number of one that has exited may be another's now, who is in the cgroup. */
static void test_find_successor(void **state)
{
	struct visitor gone, successor;

	(void)state;
	NEED_CGROUP2();
	make("a");
	make("b");
	assert_int_equal(cgroups_open(root, &cgroups), 0);
	gone = start_in("b");
	stop_child();
	successor = start_in("a");
	check_find("/a", &successor, "/a");
	gone.pid = successor.pid;
	check_find("/a", &gone, NULL);
	visitor_drop(&gone);
	visitor_drop(&successor);
}

/* The processes of a threaded cgroup cannot be listed, and are where their first thread is. */
static void test_find_threaded(void **state)
{
	struct visitor visitor;
	char number[16];

	(void)state;
	NEED_CGROUP2();
	make("a/t");
	write_to("a/t/cgroup.type", "threaded");
	assert_int_equal(cgroups_open(root, &cgroups), 0);
	visitor = start_in("a");
	check_find("/a", &visitor, "/a");
	check_find("/a/t", &visitor, NULL);
	visitor_drop(&visitor);
	stop_child();
	visitor = start_in("a");
	snprintf(number, sizeof number, "%d", (int)child);
	write_to("a/t/cgroup.threads", number);
	check_find("/a/t", &visitor, "/a/t");
	visitor_drop(&visitor);
}

static void make_many(const char *above, int n)
{
	char name[64];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "%s/%d", above, i);
		make(name);
	}
}

/* What was found once is not searched for again, and not believed of a cgroup that was made anew. */
static void test_find_known(void **state)
{
	struct visitor visitor = VISITOR_NONE, other = VISITOR_NONE;
	char *path = NULL;

	(void)state;
	NEED_CGROUP2();
	make("a/b/c/x");
	make("a/b/c/y");
	assert_int_equal(cgroups_open(root, &cgroups), 0);
	visitor.cgroup = inode("a/b/c/x");
	other.cgroup = inode("a/b/c/y");
	check_find("/a", &visitor, "/a/b/c/x");
	make_many("a", 1100);			/* too many to come to it */
	assert_int_equal(cgroups_find(cgroups, "/a", &other, &path), -E2BIG);
	check_find("/a/", &visitor, "/a/b/c/x");
	check_find("/a/b/d", &visitor, NULL);
	unmake("a/b/c/x");
	make("a/b/c/x");
	assert_int_equal(cgroups_find(cgroups, "/a", &visitor, &path), -E2BIG);
	visitor.cgroup = inode("a/b/c/x");
	check_find("/a/b", &visitor, "/a/b/c/x");
}

/* One among more processes than one page of numbers has room for. */
static void test_find_crowd(void **state)
{
	enum { CROWD = 1500 };
	pid_t *crowd = mem_zero(CROWD, sizeof *crowd);
	struct visitor visitor;
	char number[16];

	(void)state;
	NEED_CGROUP2();
	make("crowd");
	assert_int_equal(cgroups_open(root, &cgroups), 0);
	for (int i = 0; i < CROWD; i++) {
		crowd[i] = fork();
		if (crowd[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			pause();
			_exit(0);
		}
		snprintf(number, sizeof number, "%d", (int)crowd[i]);
		if (i < CROWD - 1)
			write_to("crowd/cgroup.procs", number);
	}
	child = crowd[CROWD - 1];
	visitor = (struct visitor){ .pid = (int)child,
				    .pidfd = { (int)syscall(SYS_pidfd_open, child, 0) } };
	check_find("/crowd", &visitor, NULL);
	write_to("crowd/cgroup.procs", number);
	check_find("/crowd", &visitor, "/crowd");
	visitor_drop(&visitor);
	for (int i = 0; i < CROWD - 1; i++) {
		(void)kill(crowd[i], SIGKILL);
		(void)waitpid(crowd[i], NULL, 0);
	}
	free(crowd);
}

/* Not everything is looked at. */
static void test_find_bounds(void **state)
{
	struct visitor by_pid, by_id = VISITOR_NONE;
	char *path = NULL;

	(void)state;
	NEED_CGROUP2();
	make("many/below/one");
	make("few");
	make_many("many", 1100);
	assert_int_equal(cgroups_open(root, &cgroups), 0);
	by_pid = start_in("few");
	by_id.cgroup = inode("few");
	for (const struct visitor *visitor = &by_pid; visitor;
	     visitor = visitor == &by_pid ? &by_id : NULL) {
		assert_int_equal(cgroups_find(cgroups, "/many", visitor, &path), -E2BIG);
		assert_int_equal(cgroups_find(cgroups, "/", visitor, &path), 0);
		assert_string_equal(path, "/few");
		mem_drop(&path);
	}
	visitor_drop(&by_pid);
}

/* A child in "mine" that connects to @listening and waits. */
static void connect_in_mine(int listening)
{
	struct sockaddr_un to;
	socklen_t size = sizeof to;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	child = fork();
	if (child != 0) {
		(void)close(fd);
		return;
	}
	write_to("mine/cgroup.procs", "0");
	if (getsockname(listening, (struct sockaddr *)&to, &size) == 0 &&
	    connect(fd, (struct sockaddr *)&to, size) == 0)
		pause();
	_exit(0);
}

/* A peer is known by what this kernel tells, and found by it; one that has exited is not. */
static void test_visitor(void **state)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX };
	AUTO(fd_drop) struct fd listening = { socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) };
	AUTO(fd_drop) struct fd peer = FD_NONE;
	struct visitor visitor = VISITOR_NONE;

	(void)state;
	NEED_CGROUP2();
	make("mine");
	assert_int_equal(cgroups_open(root, &cgroups), 0);
	assert_int_equal(bind(listening.n, (const struct sockaddr *)&any, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(listening.n, 1), 0);
	connect_in_mine(listening.n);
	peer.n = accept4(listening.n, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer.n >= 0);
	assert_int_equal(visitor_of_peer(peer.n, 0, &visitor), -ESRCH);
	assert_int_equal(visitor_of_peer(peer.n, (int)child, &visitor), 0);
	check_find("/", &visitor, "/mine");
	visitor_drop(&visitor);
	stop_child();
	if (visitor_of_peer(peer.n, (int)getppid(), &visitor) == 0)
		check_find("/", &visitor, NULL);
	visitor_drop(&visitor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_below, tear_down),
		cmocka_unit_test_teardown(test_find, tear_down),
		cmocka_unit_test_teardown(test_find_known, tear_down),
		cmocka_unit_test_teardown(test_find_successor, tear_down),
		cmocka_unit_test_teardown(test_find_threaded, tear_down),
		cmocka_unit_test_teardown(test_find_crowd, tear_down),
		cmocka_unit_test_teardown(test_find_bounds, tear_down),
		cmocka_unit_test_teardown(test_visitor, tear_down),
	};

	return cmocka_run_group_tests_name("cgroups_find", tests, find_root, remove_root);
}
