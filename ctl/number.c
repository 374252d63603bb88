/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See number.h. */
#include "number.h"

#include <errno.h>
#include <stdlib.h>

bool number_read(const char *text, long long low, long long high, long long *ret)
{
	long long number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno != 0 || number < low || number > high)
		return false;
	*ret = number;
	return true;
}
