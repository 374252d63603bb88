/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must not leave the host, taken out of texts. Pure. */
#pragma once

#include "base/own.h"

#include <stdio.h>

struct redact {					/* values that were taken out of a configuration */
	struct { char **at; size_t n, room; } secrets;
	size_t n_removed;			/* places, in all texts */
};

void redact_drop(struct redact *redact);

/*
 * redact_configuration - @text of the configuration language, without what may be secret
 * Comments go, since anybody may have written anything there; so do the values of keywords that name
 * keys, certificates, and whom users are asked of, and of every word that speaks of a password, secret,
 * token or credential. Lines stay where they were. What was taken out is remembered.
 */
void redact_configuration(struct redact *redact, const char *text, FILE *out);

/*
 * redact_text - any other text, without what was taken out of configurations before
 * And without what looks like a secret by itself: a user and password before an @ in a URL, the value of
 * password=, secret:, token= and the like, what follows AUTH and its mechanism, private keys in PEM.
 */
void redact_text(struct redact *redact, const char *text, FILE *out);
