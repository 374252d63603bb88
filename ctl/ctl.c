/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one way in which verbs complain: on stderr, with the program's name, whatever --json says. */
#include "ctl.h"

#include <stdarg.h>

void ctl_complain(const struct ctl *ctl, const char *format, ...)
{
	va_list list;

	(void)fputs("outbindctl: ", ctl->err);
	va_start(list, format);
	(void)vfprintf(ctl->err, format, list);
	va_end(list);
	(void)fputc('\n', ctl->err);
}
