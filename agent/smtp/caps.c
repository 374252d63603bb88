/* SPDX-License-Identifier: GPL-2.0-or-later */
/* EHLO keywords: a list of what we relay, everything else is not seen. */
#include "smtp/caps.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Take the next word of @line; blanks before it are skipped. */
static struct text next_word(struct text *line)
{
	struct text word;

	while (line->len > 0 && line->at[0] == ' ') {
		line->at++;
		line->len--;
	}
	word = (struct text){ line->at, 0 };
	while (word.len < line->len && line->at[word.len] != ' ')
		word.len++;
	line->at += word.len;
	line->len -= word.len;
	return word;
}

/* A decimal number; false if it is none or has more than 18 digits. */
/* "NAME=NUMBER" of LIMITS: RFC 9422 section 4. */
static void add_limit(struct caps *caps, struct text word)
{
	static const char rcpt[] = "RCPTMAX=", mail[] = "MAILMAX=";
	uint64_t value;

	if (word.len < sizeof rcpt ||
	    !text_number((struct text){ word.at + 8, word.len - 8 }, &value) || value == 0 ||
	    value > UINT32_MAX)
		return;
	if (strncasecmp(word.at, rcpt, 8) == 0)
		caps->rcpt_max = (uint32_t)value;
	else if (strncasecmp(word.at, mail, 8) == 0)
		caps->mail_max = (uint32_t)value;
}

void caps_add(struct caps *caps, struct text line)
{
	static const struct {
		const char *name;
		enum cap cap;
	} plain[] = {
		{ "PIPELINING", CAP_PIPELINING }, { "8BITMIME", CAP_8BITMIME },
		{ "SMTPUTF8", CAP_SMTPUTF8 },	  { "DSN", CAP_DSN },
		{ "STARTTLS", CAP_STARTTLS },	  { "ENHANCEDSTATUSCODES", CAP_ENHANCED },
	};
	struct text word = next_word(&line), argument;

	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (text_is(word, plain[i].name))
			caps->has |= plain[i].cap;
	if (text_is(word, "SIZE")) {
		uint64_t size;

		caps->has |= CAP_SIZE;
		if (text_number(next_word(&line), &size))
			caps->size = size;
	} else if (text_is(word, "AUTH")) {
		while ((argument = next_word(&line)).len > 0) {
			if (text_is(argument, "PLAIN"))
				caps->has |= CAP_AUTH_PLAIN;
			else if (text_is(argument, "LOGIN"))
				caps->has |= CAP_AUTH_LOGIN;
		}
	} else if (text_is(word, "LIMITS")) {
		caps->has |= CAP_LIMITS;
		while ((argument = next_word(&line)).len > 0)
			add_limit(caps, argument);
	}
}

void caps_print(const struct caps *caps, struct buffer *out)
{
	unsigned has = caps->has;

	if (has & CAP_PIPELINING)
		buffer_text(out, "250-PIPELINING\r\n");
	if (has & CAP_SIZE && caps->size > 0)
		buffer_print(out, "250-SIZE %llu\r\n", (unsigned long long)caps->size);
	else if (has & CAP_SIZE)
		buffer_text(out, "250-SIZE\r\n");
	if (has & CAP_8BITMIME)
		buffer_text(out, "250-8BITMIME\r\n");
	if (has & CAP_SMTPUTF8)
		buffer_text(out, "250-SMTPUTF8\r\n");
	if (has & CAP_DSN)
		buffer_text(out, "250-DSN\r\n");
	if (has & CAP_ENHANCED)
		buffer_text(out, "250-ENHANCEDSTATUSCODES\r\n");
	if (has & CAP_STARTTLS)
		buffer_text(out, "250-STARTTLS\r\n");
	if (has & (CAP_AUTH_PLAIN | CAP_AUTH_LOGIN))
		buffer_print(out, "250-AUTH%s%s\r\n", has & CAP_AUTH_PLAIN ? " PLAIN" : "",
			     has & CAP_AUTH_LOGIN ? " LOGIN" : "");
	if (has & CAP_LIMITS && caps->rcpt_max > 0)
		buffer_print(out, "250-LIMITS RCPTMAX=%u\r\n", caps->rcpt_max);
	else if (has & CAP_LIMITS)
		buffer_text(out, "250-LIMITS RCPTDOMAINMAX=1\r\n");
}
