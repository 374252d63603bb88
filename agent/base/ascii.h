/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of strangers, as it may stand in a line and on a terminal. Pure. */
#pragma once

#include <stddef.h>

/*
 * ascii_show - copy @n octets of @text and put a NUL behind them; what is not printable ASCII is '?'
 * @out: room for @n + 1; may be @text
 *
 * Returns @out.
 */
char *ascii_show(const char *text, size_t n, char *out);
