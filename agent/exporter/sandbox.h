/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Give up every right. */
#pragma once

#include "base/own.h"

/*
 * sandbox_enter - from here on: no capability, no new descriptor but by accept(2) and from the agent, no
 * file that is opened, no socket that is made, no program that is run, no signal to anybody
 * Everything else that is tried ends the process. 0 or -errno; then the process must not go on.
 */
MUST_CHECK int sandbox_enter(void);
