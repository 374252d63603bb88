/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See say.h. */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>

void say(struct says *says, const char *format, ...)
{
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(says->at + says->n, says->room - says->n, format, list);
	va_end(list);
	if (n > 0)
		says->n += (size_t)n < says->room - says->n ? (size_t)n : says->room - 1 - says->n;
}
