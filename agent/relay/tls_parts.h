/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside TLS: a connection, and the checking of a destination's certificate. */
#pragma once

#include "relay/tls.h"

#include <openssl/ssl.h>

struct tls {
	SSL *ssl;
	bool established;			/* so that the end is said */
	bool verifies;
	char *names;				/* ".suffix" names, each NUL-ended, an empty one last */
	char why[200], words[120];
};

void tls_last_error(const char *what, char *out, size_t room);
/* Before the handshake; -EINVAL with the reason. */
MUST_CHECK int tls_verify_setup(struct tls *tls, const struct tls_expect *expect, char *ret_why,
				size_t room);
/* After it: 0, or -EACCES with why. */
MUST_CHECK int tls_verify_check(struct tls *tls);
