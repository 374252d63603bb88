/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our trace field: RFC 5321 section 4.4. */
#pragma once

#include "smtp/line.h"

struct received {
	const char *helo;			/* as the client said it */
	const char *client;			/* its address, or "local" for a Unix socket */
	const char *by;				/* our host name */
	const char *with;			/* SMTP, ESMTP, ESMTPS, LMTP, UTF8SMTP...: RFC 3848, RFC 6531 */
	const char *id;				/* of the session and transaction */
	const char *rcpt;			/* "for" the one recipient, or NULL */
	int64_t when;				/* seconds since the epoch; printed in UTC */
};

/* "Received: ...\r\n", folded. Texts that would break the field are reduced to their safe characters. */
void received_print(const struct received *received, struct buffer *out);
