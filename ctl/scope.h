/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transient scope units, by D-Bus: org.freedesktop.systemd1(5). */
#pragma once

#include "base/own.h"

#include <stddef.h>
#include <sys/types.h>

/*
 * scope_start - have systemd make a scope unit with one process in it, and wait until it is there
 * @name: of the unit, with ".scope"
 * @slice: of the slice that it is made in; made with it if there is none
 * @pid:  the process, a child of ours that waits
 * @reterr: what went wrong, in words
 *
 * Returns 0 or -errno: -EEXIST, there is a unit of this name; -ETIMEDOUT, systemd took longer than
 * 30 seconds.
 */
MUST_CHECK int scope_start(const char *name, const char *slice, pid_t pid, char *reterr,
			   size_t room);
