/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver for a session without sockets: a client's bytes, destinations that do as they are
 * told, and what came of it as texts. Destinations are called by route; how they behave is one
 * text, "[ROUTE/]VERB:ACTION;...":
 *
 *   CAPS:PIPELINING,SIZE 1000     what EHLO offers; default PIPELINING,8BITMIME,SMTPUTF8
 * VERB:550 5.1.1 no             that reply; VERB is GREETING, EHLO, MAIL, RCPT, DATA, BODY (once
 * within the text), DOT,
 *   VERB:eof                      or the end instead of a reply; DOT:taken-eof takes the message first
 *   VERB:stall                    no reply ever: the test lets time pass
 *
 * An action may end with "*": every time, not only the first. A route that begins with "no" is refused by
 * policy, one that begins with "down" cannot be dialled.
 */
#pragma once

#include "smtp/session.h"

struct pair_server;

struct pair {
	struct session_kind kind;
	const char *behaviour;
	size_t upstream_cut;			/* octets of a reply that come by themselves; 0: all at once */
	bool pool;				/* idle upstreams are used again */
	/* results: */
	struct buffer client;			/* all that the client was sent */
	struct buffer taken;			/* "FROM>RCPT,RCPT:TEXT;" for each message that a destination took */
	struct buffer records;			/* "OUTCOME CODE;" */
	unsigned n_dials, n_remembered;
	bool closed, reset, pipes, wants_tls;
	bool remembers;				/* was_delivered says yes, once */
	/* its own: */
	struct session *session;
	struct session_host host;
	struct pair_server *servers[16];	/* by leg */
	struct pair_server *idle;
	uint64_t now;
	unsigned done;				/* bits of behaviours that were used up */
};

void pair_open(struct pair *pair);
/* Give octets to the session as far as it wants them, and let everything happen that follows. */
void pair_client(struct pair *pair, const char *octets, size_t n);
void pair_gone(struct pair *pair, bool unread);
void pair_end(struct pair *pair);		/* it says no more, but reads */
/* Let so many seconds pass. */
void pair_wait(struct pair *pair, unsigned seconds);
/* The destination of a leg closes the connection; or stalls no more, and answers at last. */
void pair_kill(struct pair *pair, int leg);
void pair_unstall(struct pair *pair, int leg, const char *reply);
void pair_close(struct pair *pair);

/* Codes of the replies that the client got, "220 250 ...", and what became of the session. */
void pair_codes(const struct pair *pair, char *out, size_t room);
