/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See identity.h. */
#include "proto/identity.h"

#include <string.h>

static const char *const checks[] = {
	[IDENTITY_FCRDNS] = "fcrdns", [IDENTITY_EHLO] = "ehlo", [IDENTITY_GENERIC] = "generic",
	[IDENTITY_SPF] = "spf", [IDENTITY_BLOCKLIST] = "blocklist",
};

static const char *const states[] = {
	[IDENTITY_UNASKED] = "unasked", [IDENTITY_GOOD] = "good", [IDENTITY_UNKNOWN] = "unknown",
	[IDENTITY_BAD] = "bad",
};

const char *identity_check_name(enum identity_check check)
{
	return checks[check];
}

const char *identity_state_name(enum identity_state state)
{
	return states[state];
}

bool identity_state_of(const char *name, enum identity_state *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(states[i], name) == 0) {
			*ret = (enum identity_state)i;
			return true;
		}
	return false;
}
