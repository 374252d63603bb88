/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a process that reads what strangers write gives up what it does not need, of itself and for good.
 * What it keeps is its own to say: descriptors that it has, system calls, limits.
 */
#pragma once

#include "base/own.h"

#include <sys/resource.h>

struct scmp_arg_cmp;				/* seccomp.h */

enum { CONFINE_LINK = 3 };			/* descriptor of its socket to the agent, as it is started */

struct confine_limit { int of; rlim_t most; };	/* RLIMIT_... */

struct confine_rule {				/* a call that depends on what it is called with */
	int call;
	const struct scmp_arg_cmp *when;	/* all @n of them */
	unsigned n;
};

struct confine {				/* what is kept; borrows all */
	const struct confine_limit *limits;
	size_t n_limits;
	const int *calls;			/* SCMP_SYS() */
	size_t n_calls;
	const struct confine_rule *rules;
	size_t n_rules;
};

enum confine_step { CONFINE_PRIVILEGES, CONFINE_LIMITS, CONFINE_FILTER };

/*
 * confine_enter - keep nothing but @keep; there is no way back
 * @reterr_step: what could not be done; may be NULL
 *
 * In this order: not dumpable, no_new_privs, no capability; limits, as low as said or as the hard limit is;
 * then a filter that kills the process at any system call that is not said. A program built with
 * AddressSanitizer also keeps what that needs, and no limit of data.
 *
 * Returns 0 or -errno (-EPERM: a capability is left); then some is given up, and the process must end.
 */
MUST_CHECK int confine_enter(const struct confine *keep, enum confine_step *reterr_step);
