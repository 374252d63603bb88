/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See confine.h. The user stays the agent's, without any capability: to a process that can open nothing a
 * uid gives nothing, but it decides who may send it signals and whose count of passed descriptors it shares.
 *
 * A unit's filter may forbid capset(2), where execve() has left nothing to drop: what counts is what the kernel
 * says is left. The bounding set can only be emptied with CAP_SETPCAP, which a unit need not give: it bounds
 * what an execve() may bring back, which no_new_privs and the filter both forbid.
 */
#include "confine/confine.h"

#include <cap-ng.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/prctl.h>

#ifdef __SANITIZE_ADDRESS__
static const bool sanitized = true;
#else
static const bool sanitized;
#endif

/* As read from the kernel last. What could be inherited gives nothing to who cannot execute anything. */
static bool has_none(void)
{
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
		if (capng_have_capability(CAPNG_EFFECTIVE, i) ||
		    capng_have_capability(CAPNG_PERMITTED, i))
			return false;
	return true;
}

static int drop_privileges(void)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	if (capng_get_caps_process() < 0)
		return -EPERM;
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		capng_clear(CAPNG_SELECT_BOUNDS);
		if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
			return -EPERM;
	}
	capng_clear(CAPNG_SELECT_CAPS);
	(void)capng_apply(CAPNG_SELECT_CAPS);	/* the unit's filter forbids it, and lets none through */
	return capng_get_caps_process() == 0 && has_none() ? 0 : -EPERM;
}

static int set_limit(const struct confine_limit *limit)
{
	struct rlimit now;

	if (sanitized && limit->of == RLIMIT_DATA)
		return 0;			/* it maps far more than it uses */
	if (getrlimit(limit->of, &now) < 0)
		return -errno;
	if (limit->most < now.rlim_max)
		now.rlim_max = limit->most;
	now.rlim_cur = now.rlim_max;
	return setrlimit(limit->of, &now) < 0 ? -errno : 0;
}

static int set_limits(const struct confine *keep)
{
	int r = 0;

	for (size_t i = 0; i < keep->n_limits && r == 0; i++)
		r = set_limit(&keep->limits[i]);
	return r;
}

static int allow(scmp_filter_ctx filter, const int *calls, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return r;
}

static int allow_all(scmp_filter_ctx filter, const struct confine *keep)
{
	static const int of_sanitizers[] = {
		SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(gettid), SCMP_SYS(getpid),
		SCMP_SYS(sigaltstack), SCMP_SYS(write), SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(rt_sigaction), SCMP_SYS(mprotect), SCMP_SYS(clock_gettime),
	};
	int r = allow(filter, keep->calls, keep->n_calls);

	if (sanitized && r == 0)
		r = allow(filter, of_sanitizers, ARRAY_LEN(of_sanitizers));
	for (size_t i = 0; i < keep->n_rules && r == 0; i++)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, keep->rules[i].call,
					   keep->rules[i].n, keep->rules[i].when);
	return r;
}

static int load_filter(const struct confine *keep)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) : -ENOMEM;

	if (r == 0)
		r = allow_all(filter, keep);
	if (r == 0)
		r = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return r;
}

int confine_enter(const struct confine *keep, enum confine_step *reterr_step)
{
	enum confine_step step = CONFINE_PRIVILEGES;
	int r = drop_privileges();

	if (r == 0) {
		step = CONFINE_LIMITS;
		r = set_limits(keep);
	}
	if (r == 0) {
		step = CONFINE_FILTER;
		r = load_filter(keep);
	}
	if (r < 0 && reterr_step)
		*reterr_step = step;
	return r;
}
