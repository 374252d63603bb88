/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of outbindd. */
#pragma once

#include "kernel/kernel.h"

struct options {
	const char *config;
	const char *runtime_dir;		/* sockets */
	const char *state_dir;			/* what outlives the agent */
	const char *cgroup_root;		/* NULL: the first cgroup2 mount */
	struct kernel_options kernel;
	bool remove_on_stop;
	bool check; /* read the configuration, say what is wrong, exit */
};

enum { EXIT_USAGE = 2 };			/* as of a configuration that is not valid */

/* Returns -1 to go on, else the exit status: --help and --version 0, a usage error EXIT_USAGE. */
MUST_CHECK int options_read(int argc, char **argv, struct options *ret);
