/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of a client: which may come when (RFC 5321 section 4.1.4) is one column of a table.
 * Only RCPT is taken while something before it is unanswered.
 */
#include "smtp/session_parts.h"

#include <string.h>

#define IN(state)	(1u << (state))
#define IN_SESSION	(IN(SESSION_READY) | IN(SESSION_MAIL))
#define ANYWHERE	(IN(SESSION_GREETED) | IN_SESSION)

static void verb_rset(struct session *session, const struct command *command)
{
	(void)command;
	session_end_transaction(session);
	session_say(session, 250, "2.0.0 forgotten");
}

static void verb_noop(struct session *session, const struct command *command)
{
	(void)command;
	session_say(session, 250, "2.0.0 ok");
}

static void verb_quit(struct session *session, const struct command *command)
{
	(void)command;
	session_say(session, 221, "2.0.0 bye");
	session_flush_slots(session);
	session_close(session);
}

static void verb_vrfy(struct session *session, const struct command *command)
{
	(void)command;
	session_say(session, 252, "2.1.5 send a message and see");
}

static void verb_help(struct session *session, const struct command *command)
{
	(void)command;
	session_say(session, 214, "2.0.0 outbind-relay(8)");
}

static void verb_data(struct session *session, const struct command *command)
{
	(void)command;
	session_data(session);
}

static void verb_starttls(struct session *session, const struct command *command)
{
	(void)command;
	session_starttls(session);
}

static void verb_bdat(struct session *session, const struct command *command)
{
	(void)command;
	session_say(session, 502, "5.5.1 CHUNKING is not offered");
}

/* Unanswered commands, and answers behind them: all recipients that may be, and some that may not. */
enum { SLOTS_MAX = SESSION_RCPT_MAX + 24 };

static const struct {
	unsigned allowed;
	bool may_overtake;			/* taken while earlier ones are unanswered */
	void (*run)(struct session *session, const struct command *command);
} verbs[VERBS] = {
	[VERB_EHLO] = { ANYWHERE, false, session_hello },	/* in a transaction: as RSET */
	[VERB_HELO] = { ANYWHERE, false, session_hello },
	[VERB_LHLO] = { ANYWHERE, false, session_hello },
	[VERB_MAIL] = { IN(SESSION_READY), false, session_mail },
	[VERB_RCPT] = { IN(SESSION_MAIL), true, session_rcpt },
	[VERB_DATA] = { IN(SESSION_MAIL), false, verb_data },
	[VERB_RSET] = { ANYWHERE, false, verb_rset },
	[VERB_NOOP] = { ANYWHERE, false, verb_noop },
	[VERB_QUIT] = { ANYWHERE, false, verb_quit },
	[VERB_VRFY] = { ANYWHERE, false, verb_vrfy },
	[VERB_HELP] = { ANYWHERE, false, verb_help },
	[VERB_STARTTLS] = { IN(SESSION_READY), false, verb_starttls },
	[VERB_AUTH] = { IN(SESSION_READY), false, session_auth },
	[VERB_BDAT] = { 0, false, verb_bdat },
};

static void refuse(struct session *session, int code, const char *text)
{
	session->errors++;
	session_say(session, code, text);
}

bool session_command(struct session *session, struct text line, bool bare)
{
	struct command command = { 0 };
	struct refusal_text refusal;

	if (session->routing != ROUTE_NOTHING)
		return false;
	if (session->state == SESSION_AUTH) {
		if (session->password)
			return false;
		session_auth_line(session, line);
		return true;
	}
	refusal = bare ? (struct refusal_text){ 500, "5.5.2 a bare CR, LF or NUL in a command" }
		       : command_parse(line, session->is_lmtp, &command);
	if (session_waits(session) && !(refusal.code == 0 && verbs[command.verb].may_overtake &&
					session->slots.n < SLOTS_MAX))
		return false;
	if (refusal.code != 0)
		refuse(session, refusal.code, refusal.text);
	else if (!(verbs[command.verb].allowed & IN(session->state)) && command.verb != VERB_BDAT)
		refuse(session, 503, "5.5.1 not now: commands are out of order");
	else
		verbs[command.verb].run(session, &command);
	return true;
}
