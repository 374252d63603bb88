/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be known of a sender's identity: which checks there are and how one ends, in numbers and
 * in the words of the control interface. Whoever asks DNS and the agent agree on it here.
 */
#pragma once

#include "base/own.h"

#include <stdbool.h>

enum identity_check {
	IDENTITY_FCRDNS,			/* address -> name -> the same address */
	IDENTITY_EHLO,				/* the name of the EHLO command leads to the address */
	IDENTITY_GENERIC,			/* the name looks like one that a provider gave by itself */
	IDENTITY_SPF,				/* SPF of the sender domains passes the address */
	IDENTITY_BLOCKLIST,			/* no DNS blocklist has the address */
	IDENTITY_CHECKS
};

/* In order of how much they matter: of several, the highest is what is said. */
enum identity_state { IDENTITY_UNASKED, IDENTITY_GOOD, IDENTITY_UNKNOWN, IDENTITY_BAD };

/* "fcrdns", "ehlo", "generic", "spf", "blocklist". */
const char *identity_check_name(enum identity_check check);

/* "unasked", "good", "unknown", "bad"; and back: false if @name is none of them. */
const char *identity_state_name(enum identity_state state);
MUST_CHECK bool identity_state_of(const char *name, enum identity_state *ret);
