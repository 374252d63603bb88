/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a server can, as its answer to EHLO says (RFC 5321 section 4.1.1.1), reduced to what we know how
 * to relay. Everything else is as if it had not been said: CHUNKING and BINARYMIME first of all.
 */
#pragma once

#include "smtp/line.h"

enum cap {
	CAP_PIPELINING = 1 << 0,		/* RFC 2920 */
	CAP_8BITMIME = 1 << 1,			/* RFC 6152 */
	CAP_SMTPUTF8 = 1 << 2,			/* RFC 6531 */
	CAP_DSN = 1 << 3,			/* RFC 3461 */
	CAP_STARTTLS = 1 << 4,			/* RFC 3207 */
	CAP_ENHANCED = 1 << 5,			/* RFC 2034 */
	CAP_SIZE = 1 << 6,			/* RFC 1870 */
	CAP_AUTH_PLAIN = 1 << 7,		/* RFC 4954 */
	CAP_AUTH_LOGIN = 1 << 8,
	CAP_LIMITS = 1 << 9,			/* RFC 9422 */
};

struct caps {
	unsigned has;				/* of enum cap */
	uint64_t size;				/* octets; 0: no limit was given */
	uint32_t rcpt_max, mail_max;		/* of LIMITS; 0: none */
};

/* Take in one line of the answer, without code and separator: "SIZE 1000". */
void caps_add(struct caps *caps, struct text line);

/* The lines that @caps stand for, each as "250-NAME ARGUMENTS\r\n"; the caller closes the reply. */
void caps_print(const struct caps *caps, struct buffer *out);
