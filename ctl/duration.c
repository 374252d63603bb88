/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See duration.h: how long ago something was, for people. */
#include "duration.h"

#include "base/own.h"

#include <stdio.h>

const char *duration_print(long long ms, char out[static DURATION_TEXT])
{
	static const struct {
		long long ms;
		const char *name;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "min" }, { 1000, "s" } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (ms >= units[i].ms) {
			snprintf(out, DURATION_TEXT, "%lld %s", ms / units[i].ms, units[i].name);
			return out;
		}
	snprintf(out, DURATION_TEXT, "%lld ms", ms > 0 ? ms : 0);
	return out;
}
