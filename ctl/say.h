/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sentence that grows, in room that does not: what does not fit is cut. */
#pragma once

#include "base/own.h"

#include <stddef.h>

struct says { char *at; size_t n, room; };	/* @n bytes of @room so far, and a NUL */

PRINTF(2, 3) void say(struct says *says, const char *format, ...);
