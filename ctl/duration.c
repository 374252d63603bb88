/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See duration.h: how long ago something was, and how long to wait, for people. */
#include "duration.h"

#include "base/own.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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

uint64_t duration_clock(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool duration_read(const char *text, long long *ret_seconds)
{
	static const struct { char unit; long long seconds; } units[] = {
		{ '\0', 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 },
	};
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 7 || (text[digits] && text[digits + 1]))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (text[digits] == units[i].unit) {
			*ret_seconds = strtoll(text, NULL, 10) * units[i].seconds;
			return true;
		}
	return false;
}
