/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See host_port.h. */
#include "host_port.h"

#include <stdio.h>
#include <string.h>

const char *host_port_print(const char *address, long long port, char out[static HOST_PORT_TEXT])
{
	(void)snprintf(out, HOST_PORT_TEXT, strchr(address, ':') ? "[%s]:%lld" : "%s:%lld", address,
		       port);
	return out;
}

bool host_port_split(const char *text, struct host_port *ret)
{
	const char *colon = strchr(text, ':'), *end;

	if (text[0] == '[') {
		end = strchr(++text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		*ret = (struct host_port){ text, (size_t)(end - text), end[1] ? end + 2 : NULL };
	} else if (colon && !strchr(colon + 1, ':')) {
		*ret = (struct host_port){ text, (size_t)(colon - text), colon + 1 };
	} else {
		*ret = (struct host_port){ text, strlen(text), NULL };
	}
	return true;
}
