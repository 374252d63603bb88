/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a confined process keeps, tried by children that enter it: where capset(2) is forbidden what counts is
 * whether a capability is left, and a limit is never raised. What a list keeps: gate_sandbox_test.c.
 */
#include "confine/confine.h"

#include <cap-ng.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

enum { ENTERED = 0, BROKEN = 77, OTHERWISE = 78, REFUSED = 100 };	/* and the step */

static const int calls[] = { SCMP_SYS(exit_group), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64),
			     SCMP_SYS(munmap), SCMP_SYS(brk) };

/* What @child comes to in a process of its own: the exit status, or -signal. */
static int outcome_of(int (*child)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int enter(const struct confine_limit *limits, size_t n)
{
	const struct confine keep = { .limits = limits, .n_limits = n, .calls = calls,
				      .n_calls = ARRAY_LEN(calls) };
	enum confine_step failed = CONFINE_FILTER;

	return confine_enter(&keep, &failed) < 0 ? REFUSED + (int)failed : ENTERED;
}

/* As a unit's SystemCallFilter= with SystemCallErrorNumber=EPERM. */
static bool forbid_capset(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	return filter &&
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(capset), 0) == 0 &&
	       seccomp_load(filter) == 0;
}

static bool drop_all(void)
{
	capng_clear(CAPNG_SELECT_CAPS);
	return capng_apply(CAPNG_SELECT_CAPS) == 0;
}

static int enter_plainly(void)
{
	return enter(NULL, 0);
}

static int enter_where_forbidden_with_some(void)
{
	return forbid_capset() ? enter(NULL, 0) : BROKEN;
}

static int enter_where_forbidden_with_none(void)
{
	return drop_all() && forbid_capset() ? enter(NULL, 0) : BROKEN;
}

static void test_privileges(void **state)
{
	(void)state;
	assert_int_equal(outcome_of(enter_plainly), ENTERED);
	assert_int_equal(outcome_of(enter_where_forbidden_with_none), ENTERED);
	if (geteuid() != 0)
		skip();
	assert_int_equal(outcome_of(enter_where_forbidden_with_some), REFUSED + CONFINE_PRIVILEGES);
}

static int lower(void)
{
	const struct rlimit before = { 100, 200 };
	const struct confine_limit limits[] = { { RLIMIT_NOFILE, 300 }, { RLIMIT_CORE, 0 } };
	struct rlimit files, core;

	if (setrlimit(RLIMIT_NOFILE, &before) < 0 || enter(limits, ARRAY_LEN(limits)) != ENTERED ||
	    getrlimit(RLIMIT_NOFILE, &files) < 0 || getrlimit(RLIMIT_CORE, &core) < 0)
		return BROKEN;
	return files.rlim_cur == 200 && files.rlim_max == 200 && core.rlim_max == 0 ? ENTERED
										     : OTHERWISE;
}

static int limit_nothing(void)
{
	const struct confine_limit limits[] = { { 9999, 0 } };

	return enter(limits, ARRAY_LEN(limits));
}

static void test_limits(void **state)
{
	(void)state;
	assert_int_equal(outcome_of(lower), ENTERED);
	assert_int_equal(outcome_of(limit_nothing), REFUSED + CONFINE_LIMITS);
}

static int call_another(void)
{
	return enter(NULL, 0) == ENTERED ? (int)syscall(SYS_getppid) : BROKEN;
}

/* A call with a first argument of 1 is kept, with 2 it is not. */
static int call_with(int first)
{
	const struct scmp_arg_cmp is_one[] = { SCMP_A0(SCMP_CMP_EQ, 1) };
	const struct confine_rule rules[] = { { SCMP_SYS(close), is_one, ARRAY_LEN(is_one) } };
	const struct confine keep = { .calls = calls, .n_calls = ARRAY_LEN(calls), .rules = rules,
				      .n_rules = ARRAY_LEN(rules) };

	if (confine_enter(&keep, NULL) < 0)
		return BROKEN;
	(void)close(first);
	return ENTERED;
}

static int call_with_one(void)
{
	return call_with(1);
}

static int call_with_two(void)
{
	return call_with(2);
}

static void test_calls(void **state)
{
	(void)state;
	assert_int_equal(outcome_of(call_another), -SIGSYS);
	assert_int_equal(outcome_of(call_with_one), ENTERED);
	assert_int_equal(outcome_of(call_with_two), -SIGSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_privileges), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
