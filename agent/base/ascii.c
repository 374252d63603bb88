/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See ascii.h. */
#include "base/ascii.h"

char *ascii_show(const char *text, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	out[n] = '\0';
	return out;
}
