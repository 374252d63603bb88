/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sandbox.h. The list is what libmicrohttpd with epoll and the C library's memory need, measured
 * with strace under all of tests/netns/test_metrics.py; what is missing in it ends us with SIGSYS, which
 * the agent logs, and starts us again.
 */
#include "exporter/sandbox.h"

#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static const int allowed[] = {
	/* connections */
	SCMP_SYS(accept4), SCMP_SYS(read), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(write),
	SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(writev), SCMP_SYS(sendfile),
	SCMP_SYS(shutdown), SCMP_SYS(close), SCMP_SYS(getsockname), SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt), SCMP_SYS(fcntl), SCMP_SYS(ioctl),
	/* waiting */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	/* texts: descriptors that the agent sends */
	SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(pread64),
	/* memory, and the end */
	SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect),
	SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
	SCMP_SYS(sigaltstack), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(sched_yield),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* An older filter, of the service manager, may forbid to change capabilities: then there must be none. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (syscall(SYS_capset, &head, sets) == 0)
		return 0;
	if (syscall(SYS_capget, &head, sets) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		if (sets[i].permitted | sets[i].effective)
			return -EPERM;
	return 0;
}

static int filter(void)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = context ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_LEN(allowed) && r == 0; i++)
		r = seccomp_rule_add(context, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = seccomp_load(context);
	if (context)
		seccomp_release(context);
	return r;
}

int sandbox_enter(void)
{
	int r;

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = drop_capabilities();
	return r < 0 ? r : filter();
}
