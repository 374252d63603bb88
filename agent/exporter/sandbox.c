/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sandbox.h. The list is what libmicrohttpd with epoll and the C library's memory need, measured
 * with strace under all of tests/netns/test_metrics.py; what is missing in it ends us with SIGSYS, which
 * the agent logs, and starts us again.
 */
#include "exporter/sandbox.h"

#include "confine/confine.h"

#include <seccomp.h>

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

int sandbox_enter(void)
{
	const struct confine keep = { .calls = allowed, .n_calls = ARRAY_LEN(allowed) };

	return confine_enter(&keep, NULL);
}
