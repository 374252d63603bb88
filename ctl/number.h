/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers on a command line. Pure. */
#pragma once

#include <stdbool.h>

/* @text is a decimal number from @low to @high and nothing else: no sign, no blank. *@ret on success only. */
bool number_read(const char *text, long long low, long long high, long long *ret);
