/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One command line of a client, taken apart: RFC 5321 section 4.1.1, LMTP's LHLO (RFC 2033), AUTH
 * (RFC 4954), STARTTLS (RFC 3207), parameters of 8BITMIME, SIZE, DSN, SMTPUTF8, and XOUTBIND. Pure.
 */
#pragma once

#include "smtp/address.h"

enum verb {
	VERB_UNKNOWN,
	VERB_EHLO,
	VERB_HELO,
	VERB_LHLO,
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERB_RSET,
	VERB_NOOP,
	VERB_QUIT,
	VERB_VRFY,
	VERB_HELP,
	VERB_STARTTLS,
	VERB_AUTH,
	VERB_BDAT,
	VERBS
};

enum body_type { BODY_UNSAID, BODY_7BIT, BODY_8BITMIME };

struct command {
	enum verb verb;
	struct text argument;			/* host name, mechanism, ... as written */
	struct path path;			/* MAIL, RCPT */
	/* MAIL: */
	bool has_size, smtputf8;
	uint64_t size;
	enum body_type body;
	struct text ret, envid, auth;		/* DSN's RET= and ENVID=, AUTH=; empty if not given */
	struct text xoutbind;			/* empty if not given */
	/* RCPT: */
	struct text notify, orcpt;		/* DSN */
	struct text initial;			/* AUTH: initial response; len 0 none, "=" empty */
};

/* A reply that is ours; @text begins with its enhanced code (RFC 3463), or is "" where none belongs. */
struct refusal_text { int code; const char *text; };

/*
 * command_parse - take @line apart
 * @lmtp: LHLO instead of EHLO and HELO
 *
 * Returns code 0 and *@ret written; or what to answer: 500 for what is no command (verb and any
 * text), 501 for wrong arguments, 504 or 555 for parameters that are not known (RFC 5321 4.1.1.11).
 * What depends on the state of the session (503, and parameters of extensions that this listener
 * does not offer) is not judged here. Texts point into @line.
 */
struct refusal_text command_parse(struct text line, bool lmtp, struct command *ret);
