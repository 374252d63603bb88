/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection to a destination, seen from the client's side: greeting, EHLO, STARTTLS, then any number of
 * transactions. Pure: bytes in, bytes out, events; the driver owns socket, TLS and time.
 *
 * Guarantees: a final dot is never sent but by back_end(); commands are sent in groups only if the
 * destination has PIPELINING, else one at a time; bytes that came before the TLS handshake are not
 * taken for answers after it; an answer nobody asked for, 421 but for, is a protocol error.
 */
#pragma once

#include "smtp/body.h"
#include "smtp/caps.h"
#include "smtp/reply.h"

/* STARTTLS: not, if offered, or else no mail. */
enum back_tls { BACK_TLS_NEVER, BACK_TLS_MAY, BACK_TLS_MUST };

/* Seconds, RFC 5321 section 4.5.3.2, shortened where real clients give up earlier (Postfix: 120 for DATA). */
enum { BACK_WAIT_GREETING = 20, BACK_WAIT_HELLO = 20, BACK_WAIT_MAIL = 270, BACK_WAIT_RCPT = 270,
       BACK_WAIT_DATA = 110, BACK_WAIT_BLOCK = 170, BACK_WAIT_END = 600, BACK_WAIT_RSET = 20,
       BACK_WAIT_QUIT = 2 };

enum back_verb {
	BACK_GREETING,
	BACK_HELLO,
	BACK_STARTTLS,
	BACK_MAIL,
	BACK_RCPT,
	BACK_DATA,
	BACK_END,
	BACK_RSET,
	BACK_QUIT,
	BACK_RAW,
	BACK_VERBS
};

enum back_event {
	BACK_NOTHING,
	BACK_WANT_TLS,				/* @out is to be written, then the handshake: back_tls_done */
	BACK_UP,				/* caps are known, a transaction may begin */
	BACK_REPLY,				/* to @verb */
	BACK_DOWN,				/* for good; @why says it for people */
};

struct back_news {
	enum back_event event;
	enum back_verb verb;			/* BACK_REPLY; BACK_DOWN: what was waited for */
	struct reply reply;			/* owned; BACK_DOWN: what it said (421, 4xx), or none */
	bool tls_failed;			/* BACK_DOWN: STARTTLS was refused or its handshake failed */
	bool timed_out;
	char why[160];
};

struct back_pending { enum back_verb verb; };

struct back {					/* opaque but for what is marked so */
	/* set before back_start(), borrowed: */
	const char *ehlo;			/* our name */
	enum back_tls tls;
	bool implicit_tls;			/* the driver has TLS already: no STARTTLS */
	/* to be read: */
	struct buffer out;			/* to be written to the destination, in one go */
	struct caps caps;			/* since BACK_UP */
	struct reply greeting, hello;		/* as they came; for the intercepting front */
	bool is_tls;				/* the dialogue is encrypted now */
	unsigned n_transactions;		/* that were begun by MAIL */
	/* its own: */
	struct reply_reader reader;
	struct { struct back_pending *at; size_t n, room; } pending;	/* sent or queued, in order */
	size_t n_sent;				/* of them, written to @out */
	struct buffer queued;			/* commands that wait, as there is no PIPELINING */
	struct { struct back_news *at; size_t n, room; } news;
	struct body_encoder encoder;
	uint64_t now, since;			/* usec; of the oldest pending one */
	unsigned phase;
	bool in_body, said_helo;
};

void back_start(struct back *back, uint64_t now);
void back_drop(struct back *back);

/* All of @bytes is taken. @now: monotonic, in microseconds, here and below. */
void back_bytes(struct back *back, const uint8_t *bytes, size_t n, uint64_t now);
void back_eof(struct back *back, const char *why, uint64_t now);	/* closed or broken */
void back_tls_done(struct back *back, bool good, const char *why, uint64_t now);
/* When back_tick() wants to be called, or 0. */
uint64_t back_deadline(const struct back *back);
void back_tick(struct back *back, uint64_t now);

/* The oldest event not taken yet, into *@ret (owned); false: none. */
bool back_next(struct back *back, struct back_news *ret);
void back_news_drop(struct back_news *news);

/* Ready for a transaction, with nothing pending. */
bool back_is_idle(const struct back *back);
/* It has had as many transactions as it said that it takes: LIMITS MAILMAX, RFC 9422. */
bool back_is_spent(const struct back *back);
/* BACK_DOWN was told, or will be. */
bool back_is_down(const struct back *back);

/* Commands. @line without CRLF, e.g. "MAIL FROM:<a@b> SIZE=1"; each gets one BACK_REPLY, in order. */
void back_command(struct back *back, enum back_verb verb, const char *line, uint64_t now);

/* The text, after 354. Content, not stuffed; @run: see body_encode_run(). */
void back_body(struct back *back, struct text piece, bool run, uint64_t now);
void back_end(struct back *back, uint64_t now);
/* Some of @out was written: a destination that takes a text slowly does take it. */
void back_written(struct back *back, uint64_t now);
