/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is called, and the one way in which verbs complain: on stderr, whatever --json says. */
#include "ctl.h"

#include <stdarg.h>

const char *ctl_server(const struct ctl *ctl)
{
	return ctl->relay_socket ? "outbind-relay" : "outbindd";
}

void ctl_complain(const struct ctl *ctl, const char *format, ...)
{
	va_list list;

	(void)fputs("outbindctl: ", ctl->err);
	va_start(list, format);
	(void)vfprintf(ctl->err, format, list);
	va_end(list);
	(void)fputc('\n', ctl->err);
}
