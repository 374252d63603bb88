/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See gate_sandbox.h. The list is short because the process needs little: to receive, to wait, to close,
 * to have memory. What it is told is that no descriptor can be made, by whatever name: no open, socket,
 * pipe, dup, memfd, io_uring, and what is received by SCM_RIGHTS comes over the one socket that the agent
 * writes to (on a peer's connection recvmsg() without room for descriptors leaves them where they are).
 *
 * The user stays the agent's, without any capability: to a process that can open nothing a uid gives
 * nothing, but it decides who may send it signals and whose count of passed descriptors it shares.
 *
 * capset(2) is called only if there is something to drop: a unit's filter may forbid it, where execve() has
 * left none. The bounding set can only be emptied with CAP_SETPCAP, which a unit need not give: it
 * bounds what an execve() may bring back, which no_new_privs and the filter both forbid.
 */
#include "gate/gate_sandbox.h"

#include <cap-ng.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { DATA_MAX = 64 * 1024 * 1024 };

#ifdef __SANITIZE_ADDRESS__
static const bool sanitized = true;
#else
static const bool sanitized;
#endif

const char *gate_sandbox_reason(int status)
{
	static const char *const reasons[] = {
		[GATE_EXIT_LINK] = "no socket to the agent",
		[GATE_EXIT_PRIVILEGES] = "cannot give up privileges",
		[GATE_EXIT_LIMITS] = "cannot set limits",
		[GATE_EXIT_FILTER] = "no filter of system calls (CONFIG_SECCOMP_FILTER)",
		[GATE_EXIT_MEMORY] = "cannot make an epoll",
	};

	return status >= GATE_EXIT_LINK && status <= GATE_EXIT_MEMORY ? reasons[status] : NULL;
}

/* As read from the kernel last. What could be inherited gives nothing to who cannot execute anything. */
static bool has_none(void)
{
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
		if (capng_have_capability(CAPNG_EFFECTIVE, i) ||
		    capng_have_capability(CAPNG_PERMITTED, i))
			return false;
	return true;
}

static bool drop_privileges(void)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return false;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    capng_get_caps_process() < 0)
		return false;
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		capng_clear(CAPNG_SELECT_BOUNDS);
		if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
			return false;
	}
	capng_clear(CAPNG_SELECT_CAPS);
	(void)capng_apply(CAPNG_SELECT_CAPS);	/* the unit's filter forbids it, and lets none through */
	return capng_get_caps_process() == 0 && has_none();
}

static bool limit(int which, rlim_t most)
{
	struct rlimit now;

	if (getrlimit(which, &now) < 0)
		return false;
	if (most > now.rlim_max)
		most = now.rlim_max;
	now = (struct rlimit){ most, most };
	return setrlimit(which, &now) == 0;
}

static bool set_limits(unsigned files)
{
	return limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NPROC, 0) &&
	       limit(RLIMIT_MEMLOCK, 0) && limit(RLIMIT_MSGQUEUE, 0) &&
	       limit(RLIMIT_SIGPENDING, 0) && limit(RLIMIT_NOFILE, files) &&
	       (sanitized || limit(RLIMIT_DATA, DATA_MAX));
}

static int allow_plain(scmp_filter_ctx filter)
{
	static const int plain[] = {
		SCMP_SYS(recvmsg), SCMP_SYS(recvfrom), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
		SCMP_SYS(close), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap),
		SCMP_SYS(madvise), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
	};
	static const int of_sanitizers[] = {
		SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(gettid), SCMP_SYS(getpid),
		SCMP_SYS(sigaltstack), SCMP_SYS(write), SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(rt_sigaction), SCMP_SYS(mprotect), SCMP_SYS(clock_gettime),
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(plain) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain[i], 0);
	for (size_t i = 0; sanitized && i < ARRAY_LEN(of_sanitizers) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, of_sanitizers[i], 0);
	return r;
}

/* Those that depend on what they are called with; compared are 32 bits, as the kernel takes an int. */
static int allow_some(scmp_filter_ctx filter, int link, int events)
{
	const scmp_datum_t whole = UINT32_MAX;
	int r;

	/* Without an address, and a call that takes no descriptors along. */
	r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 2,
			     SCMP_A0(SCMP_CMP_MASKED_EQ, whole, (scmp_datum_t)link),
			     SCMP_A4(SCMP_CMP_EQ, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(epoll_ctl), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, whole, (scmp_datum_t)events));
	/* Memory of no file, that is never code. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 3,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
				     SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS),
				     SCMP_A4(SCMP_CMP_MASKED_EQ, whole, UINT32_MAX));
	return r;
}

static bool load_filter(int link, int events)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	bool done = filter && seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) == 0 &&
		    allow_plain(filter) == 0 && allow_some(filter, link, events) == 0 &&
		    seccomp_load(filter) == 0;

	if (!done)
		return false;
	seccomp_release(filter);
	return true;
}

int gate_sandbox_enter(int link, int events, unsigned files)
{
	if (!drop_privileges())
		return GATE_EXIT_PRIVILEGES;
	if (!set_limits(files))
		return GATE_EXIT_LIMITS;
	return load_filter(link, events) ? 0 : GATE_EXIT_FILTER;
}
