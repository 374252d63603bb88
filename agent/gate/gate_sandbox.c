/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See gate_sandbox.h. The list is short because the process needs little: to receive, to wait, to close,
 * to have memory. What it is told is that no descriptor can be made, by whatever name: no open, socket,
 * pipe, dup, memfd, io_uring, and what is received by SCM_RIGHTS comes over the one socket that the agent
 * writes to (on a peer's connection recvmsg() without room for descriptors leaves them where they are).
 */
#include "gate/gate_sandbox.h"

#include "confine/confine.h"

#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>

enum { DATA_MAX = 64 * 1024 * 1024 };

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

static const int calls[] = {
	SCMP_SYS(recvmsg), SCMP_SYS(recvfrom), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(close), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap),
	SCMP_SYS(madvise), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
};

int gate_sandbox_enter(int link, int events, unsigned files)
{
	static const int exits[] = { [CONFINE_PRIVILEGES] = GATE_EXIT_PRIVILEGES,
				     [CONFINE_LIMITS] = GATE_EXIT_LIMITS,
				     [CONFINE_FILTER] = GATE_EXIT_FILTER };
	const struct confine_limit limits[] = {
		{ RLIMIT_CORE, 0 }, { RLIMIT_FSIZE, 0 }, { RLIMIT_NPROC, 0 }, { RLIMIT_MEMLOCK, 0 },
		{ RLIMIT_MSGQUEUE, 0 }, { RLIMIT_SIGPENDING, 0 }, { RLIMIT_NOFILE, files },
		{ RLIMIT_DATA, DATA_MAX },
	};
	/* Compared are 32 bits, as the kernel takes an int. */
	const scmp_datum_t whole = UINT32_MAX;
	/* Without an address, and a call that takes no descriptors along. */
	const struct scmp_arg_cmp to_link[] = {
		SCMP_A0(SCMP_CMP_MASKED_EQ, whole, (scmp_datum_t)link), SCMP_A4(SCMP_CMP_EQ, 0),
	};
	const struct scmp_arg_cmp of_events[] = {
		SCMP_A0(SCMP_CMP_MASKED_EQ, whole, (scmp_datum_t)events),
	};
	/* Memory of no file, that is never code. */
	const struct scmp_arg_cmp of_memory[] = {
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
		SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS),
		SCMP_A4(SCMP_CMP_MASKED_EQ, whole, UINT32_MAX),
	};
	const struct confine_rule rules[] = {
		{ SCMP_SYS(sendto), to_link, ARRAY_LEN(to_link) },
		{ SCMP_SYS(epoll_ctl), of_events, ARRAY_LEN(of_events) },
		{ SCMP_SYS(mmap), of_memory, ARRAY_LEN(of_memory) },
	};
	const struct confine keep = { limits, ARRAY_LEN(limits), calls, ARRAY_LEN(calls),
				      rules, ARRAY_LEN(rules) };
	enum confine_step failed;

	return confine_enter(&keep, &failed) < 0 ? exits[failed] : 0;
}
