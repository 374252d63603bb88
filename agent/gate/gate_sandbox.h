/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process keeps that reads what strangers write: its descriptors, its memory, one way to speak. */
#pragma once

#include "base/own.h"

enum gate_exit { GATE_EXIT_LINK = 10, GATE_EXIT_PRIVILEGES, GATE_EXIT_LIMITS, GATE_EXIT_FILTER,
		 GATE_EXIT_MEMORY };

/* What an exit status of the gate means, for the log; NULL: none of these. */
const char *gate_sandbox_reason(int status);

/*
 * gate_sandbox_enter - give up everything but reading from descriptors, and writing to @link
 * @link, @events: the socket that may be written to; the epoll that may be changed
 * @files:         descriptors that may be open at once, at most; as many as the hard limit allows
 *
 * Capabilities go, no_new_privs and undumpable are set, limits forbid files, processes and cores, and a
 * filter kills the process at any system call that is not on its list. There is no way back.
 * Returns 0, or the enum gate_exit that says what could not be given up.
 */
MUST_CHECK int gate_sandbox_enter(int link, int events, unsigned files);
