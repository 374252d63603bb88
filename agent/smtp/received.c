/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trace field. What a client said is printed only in characters that cannot end a field or comment. */
#include "smtp/received.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

/* Letters, digits and what names, literals and addresses need; all else becomes '?'. */
static void put_safe(struct buffer *out, const char *text)
{
	size_t begin = buffer_len(out), n = strlen(text);

	buffer_put(out, text, n < 255 ? n : 255);
	for (size_t i = begin; i < buffer_len(out); i++) {
		uint8_t *c = out->at + out->begin + i;

		if (!isalnum(*c) && *c < 0x80 && !strchr(".-_:[]@+=/!#$%&'*^`{|}~", *c))
			*c = '?';
	}
}

void received_print(const struct received *received, struct buffer *out)
{
	time_t when = (time_t)received->when;
	char date[64] = "";
	struct tm tm;

	/* strftime's names follow the locale, which no program of ours sets: RFC 5322 section 3.3. */
	if (gmtime_r(&when, &tm))
		(void)!strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
	buffer_text(out, "Received: from ");
	put_safe(out, received->helo);
	buffer_text(out, " (");
	if (strchr(received->client, '.') || strchr(received->client, ':')) {
		buffer_text(out, strchr(received->client, ':') ? "[IPv6:" : "[");
		put_safe(out, received->client);
		buffer_text(out, "]");
	} else {
		put_safe(out, received->client);
	}
	buffer_text(out, ")\r\n\tby ");
	put_safe(out, received->by);
	buffer_print(out, " (outbind) with %s id ", received->with);
	put_safe(out, received->id);
	if (received->rcpt) {
		buffer_text(out, "\r\n\tfor <");
		put_safe(out, received->rcpt);
		buffer_text(out, ">");
	}
	buffer_print(out, ";\r\n\t%s\r\n", date);
}
