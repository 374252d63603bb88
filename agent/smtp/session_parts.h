/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside a session: its state, and what its files offer each other.
 *
 * Replies to the client go through slots, strictly in order; a slot without a reply waits for an
 * upstream. While one waits only RCPT is taken from the client, so a group of MAIL and RCPT
 * travels as one, and everything else finds all earlier outcomes known.
 */
#pragma once

#include "base/digest.h"
#include "smtp/session.h"

enum session_state {
	SESSION_OPENING,			/* before the banner: the upstream comes first */
	SESSION_GREETED,			/* EHLO is expected */
	SESSION_READY,
	SESSION_MAIL,				/* a transaction is open */
	SESSION_DATA,				/* 354 is awaited */
	SESSION_TEXT,				/* the message comes in */
	SESSION_VERDICT,			/* the final dot is out, or would be */
	SESSION_AUTH,				/* lines are responses, not commands */
	SESSION_HANDSHAKE,			/* TLS, in the driver */
	SESSION_PIPE,
	SESSION_CLOSED,				/* ASK_CLOSE or ASK_RESET was said */
};

enum {
	SESSION_LINE_MAX = 4096,
	SESSION_RCPT_MAX = 1000,
	SESSION_ERRORS_MAX = 20,
	SESSION_AUTH_TRIES = 3,
	SESSION_SELF_MAX = 3,
	SESSION_HOPS_MAX = 100,
	SESSION_OUT_HIGH = 256 * 1024
};

enum leg_state { LEG_WANTED, LEG_DIALLING, LEG_UP, LEG_GONE };

struct leg {
	const struct route *route;
	struct back *back;			/* while LEG_UP */
	enum leg_state state;
	bool reused, redialled;
	bool mail_sent, mail_good, data_sent, text, ended, spared, lost, recorded;
	struct reply mail;			/* why MAIL was refused */
	struct reply verdict;			/* of DATA or the text; code 0: none yet */
	unsigned n_accepted, n_refused;
	struct fingerprint fingerprint;
};

enum rcpt_state { RCPT_ROUTING, RCPT_WAITS, RCPT_SENT, RCPT_GOOD, RCPT_BAD };

struct rcpt {
	char *address;
	char *parameters;			/* of DSN, or NULL */
	int leg;
	enum rcpt_state state;
	struct reply reply;			/* RCPT_BAD behind a 250 that was ours: for the dot */
};

enum slot_kind { SLOT_READY, SLOT_HELLO, SLOT_MAIL, SLOT_RCPT, SLOT_DATA, SLOT_RAW };
struct slot { enum slot_kind kind; uint32_t rcpt; struct reply reply; };

/* Who waits for the route that was asked for. */
enum route_for { ROUTE_NOTHING, ROUTE_OPENING, ROUTE_HELLO, ROUTE_MAIL, ROUTE_RCPT, ROUTE_HEADER };

struct session {
	const struct session_kind *kind;
	const struct session_host *host;
	char *client, *id;
	uint64_t now, since;			/* since: the client's last progress */
	int64_t clock;
	enum session_state state;
	bool is_tls, eof, gone, stopping, is_lmtp, said_ehlo, dsn_offered;
	unsigned errors, auth_tries;

	struct line_reader lines;
	struct buffer input, output;		/* input: not looked at yet */
	struct buffer line;			/* a command that has to wait */
	bool has_line, line_is_bare;
	struct { struct slot *at; size_t n, room; } slots;
	struct { struct ask *at; size_t n, room; } asks;

	char *helo, *user;
	char *auth_name;			/* AUTH LOGIN, half way */
	bool auth_login;
	char *password;				/* between ASK_AUTH and its answer */

	/* the transaction: */
	char *sender, *parameter;
	struct command mail;			/* its texts are not used, but for: */
	char *dsn;				/* " RET=.. ENVID=..", or NULL */
	bool mail_refused;
	struct { struct rcpt *at; size_t n, room; } rcpts;
	struct { struct leg *at; size_t n, room; } legs;
	bool standing;				/* leg 0 outlives transactions */
	struct reply no_route;			/* what MAIL is answered, as there is no leg 0 */
	enum route_for routing;
	uint32_t routing_rcpt;

	/* the text: */
	struct body_decoder decoder;
	struct header_scan scan;
	struct buffer head;			/* the header block, until it has ended */
	bool head_done, dot, header_wait;
	struct reply doom;			/* code 0: the message is good so far */
	struct digest_stream *digest;
	bool recorded;				/* the transaction has a line in the log */
	uint64_t began, body_began;

	struct { struct fingerprint *at; size_t n, room; } unacked;	/* until the client says more */
	struct record record;
	char record_reply[256];
};

/* session.c */
void session_ask(struct session *session, enum ask_kind kind, int leg);
void session_close(struct session *session);
/* Has the client nothing open that must be answered first? */
bool session_is_quiet(const struct session *session);
/* Go on with what waits; ends every answer of the driver. */
void session_pump(struct session *session);

/* session_slots.c: replies in order. */
void session_say(struct session *session, int code, const char *text);
void session_say_reply(struct session *session, struct reply *reply);	/* takes it */
void session_wait(struct session *session, enum slot_kind kind, uint32_t rcpt);
/* Fill the oldest slot of this kind that waits; false if there is none. */
bool session_fill(struct session *session, enum slot_kind kind, uint32_t rcpt,
		  const struct reply *reply);
bool session_waits(const struct session *session);
void session_flush_slots(struct session *session);

/* session_command.c: one line. False: it has to wait. */
bool session_command(struct session *session, struct text line, bool bare);

/* session_hello.c: EHLO, STARTTLS, AUTH. */
void session_greet(struct session *session);
void session_hello(struct session *session, const struct command *command);
void session_hello_reply(struct session *session);
void session_starttls(struct session *session);
void session_auth(struct session *session, const struct command *command);
void session_auth_line(struct session *session, struct text line);
void session_forget_hello(struct session *session);
void session_forget(char **text);		/* free, and NULL */

/* session_legs.c: routes, upstreams, and what they answer. */
void session_ask_route(struct session *session, enum route_for what, uint32_t rcpt);
void session_open_leg(struct session *session, const struct route *route, int *ret_leg);
/* The standing leg is dialled again if it went. */
void session_reopen_leg(struct session *session);
/* Send MAIL and the recipients that wait, if the leg is up. */
void session_send_envelope(struct session *session, int leg);
void session_release_leg(struct session *session, int leg, bool reusable);
/* What recipients and text are answered whose destination has gone. */
struct reply session_lost(void);
/* All legs, as the transaction ends; a standing one stays. */
void session_release_legs(struct session *session);

/* session_mail.c: the envelope. */
void session_mail(struct session *session, const struct command *command);
void session_rcpt(struct session *session, const struct command *command);
/* An outcome for one recipient, or for MAIL; by the destination or by us. */
void session_rcpt_done(struct session *session, uint32_t rcpt, const struct reply *reply);
void session_mail_done(struct session *session, int leg, const struct reply *reply);
/* The leg cannot have what was not answered yet. */
void session_envelope_failed(struct session *session, int leg, const struct reply *reply);
void session_end_transaction(struct session *session);
void session_settle(struct session *session);

/* session_text.c: DATA and the message. */
void session_data(struct session *session);
void session_data_settled(struct session *session);	/* maybe: all 354s, or all verdicts, are there */
void session_text(struct session *session, const uint8_t **at, size_t *n);
void session_text_continue(struct session *session);

/* session_record.c */
void session_record(struct session *session, int leg, enum outcome_kind outcome,
		    const struct reply *reply);
/* The transaction ends: destinations and recipients that were refused and have no line yet. */
void session_record_refused(struct session *session);
void session_fingerprint(struct session *session, int leg);
void session_unread(struct session *session);
