/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client's session and the upstream connections it uses: the cut-through relay as a pure machine. Bytes
 * and events in; bytes, and things that it asks of its driver, out. No socket, no clock, no DNS.
 *
 * The promise: a final reply of 2xx is given to the client only after the destination has given it, or
 * gave it to the same message before and that answer was lost (see `delivered`). What was refused or lost is
 * never acknowledged. An upstream gets the final dot only after the client's was seen and the message
 * was found to be well-formed; else its connection is closed without one.
 *
 * Fronts: SMTP has one leg, fixed by the first recipient; others are answered 452 4.5.3. LMTP has
 * a leg for each route and answers for each recipient. INTERCEPT has one leg, to the address that the client
 * had called.
 */
#pragma once

#include "smtp/back.h"
#include "smtp/command.h"
#include "smtp/header.h"

enum front { FRONT_SMTP, FRONT_LMTP, FRONT_INTERCEPT };

/* When the route is decided and the upstream opened: as soon as all that rules ask is known. */
enum point { POINT_ACCEPT, POINT_HELLO, POINT_MAIL, POINT_RCPT, POINT_HEADER, POINTS };

enum front_tls { FRONT_TLS_NONE, FRONT_TLS_OFFERED, FRONT_TLS_REQUIRED, FRONT_TLS_IMPLICIT };

/* Intercepted STARTTLS: passed through, hidden from the client, or answered by ourselves. */
enum intercept_tls { INTERCEPT_BLIND, INTERCEPT_STRIP, INTERCEPT_TERMINATE };

struct session_kind {				/* what a listener is like; borrowed, outlives the session */
	enum front front;
	enum point point;
	enum front_tls tls;
	enum intercept_tls intercept_tls;
	const char *hostname;			/* in banner, EHLO reply and trace field */
	/* name of the field that names a binding, or NULL: not trusted */
	const char *header;
	bool parameter;				/* XOUTBIND= is trusted here */
	bool normalise;				/* bare CR and LF are mended, not refused */
	bool auth, auth_required;		/* AUTH is offered (in TLS, or auth_plain_text) */
	bool auth_plain_text;			/* also without TLS */
	bool received;				/* add the trace field */
	bool ignore_8bit;			/* send 8BITMIME text also to who did not offer it */
	uint64_t size_max;			/* octets of a message */
	unsigned hops_max;			/* Received fields; 0: 100 */
};

struct route;					/* the driver's: binding, next hop. Compared by pointer */
struct session;

enum outcome_kind {
	OUTCOME_DELIVERED,
	OUTCOME_REFUSED,			/* by the destination, or by us: see the reply */
	OUTCOME_LOST,				/* the destination's verdict never came */
	OUTCOME_SPARED,				/* a duplicate, answered from memory */
	OUTCOME_ABORTED,			/* the client gave up before the final dot */
	/* one that was DELIVERED: the client did not get to read that */
	OUTCOME_UNACKED,
};

struct record {
	int leg;				/* -1: there was none; else session_leg_route() tells more */
	enum outcome_kind outcome;
	bool ack_lost;				/* delivered, but the client was gone */
	const char *sender, *first_rcpt;	/* NULL if there was none; of its leg */
	const char *helo, *user, *header;	/* or NULL */
	unsigned n_accepted, n_refused;		/* recipients */
	uint64_t size, n_nul;			/* octets of content, as received */
	int code;				/* of the reply that decided; its first line: */
	const char *reply;
	uint64_t began, body_began, ended;	/* usec; 0: not come to */
};

struct fingerprint { uint8_t octet[16]; };	/* of route, envelope and text of one delivery */

/* Called by the session, at once; must not call back into it. */
struct session_host {
	/* Was this delivered, and its acknowledgement lost? Forgets it if so. */
	bool (*was_delivered)(void *context, const struct fingerprint *fingerprint);
	void (*remember)(void *context, const struct fingerprint *fingerprint);
	/* Bytes that say which route this is, the same in every session: part of the fingerprint. */
	struct text (*route_key)(void *context, const struct route *route);
	/* One delivery, or refusal, has ended: for the log. Texts are good until it returns. */
	void (*record)(void *context, const struct record *record);
	uint64_t key;				/* random: of the digests in fingerprints */
	void *context;
};

enum ask_kind {
	ASK_NOTHING,
	ASK_ROUTE,				/* session_routed() or session_unrouted(), now or later */
	ASK_DIAL,				/* an upstream for ask.leg: session_leg_up() or _refused() */
	/* ask.leg's upstream is yours again, or is not wanted any more */
	ASK_RELEASE,
	ASK_AUTH,				/* session_authenticated() */
	ASK_TLS,				/* write all output, then be a TLS server; session_tls_done() */
	/* write all output, then copy bytes both ways till both end: leg 0 */
	ASK_PIPE,
	ASK_CLOSE,				/* write all output, then close */
	ASK_RESET,				/* close by a reset, now: the client shall try another host */
};

struct ask {
	enum ask_kind kind;
	int leg;
	bool reusable; /* ASK_RELEASE: idle, or will be when its RSET is answered;
						   ASK_DIAL: one that was used before will do */
	const char *user, *password;		/* ASK_AUTH; wiped at the answer */
};

/* What policy may look at. Texts are NUL-terminated and the session's; NULL: not known. */
struct session_facts {
	const char *helo, *user;
	const char *sender;			/* "" is the null sender */
	const char *rcpt;			/* the one that a route is asked for; at MAIL or earlier NULL */
	const char *parameter;			/* XOUTBIND=, where trusted */
	const char *header;			/* value of the field, where trusted; "" if there was none */
	bool is_tls;
	uint64_t size;				/* as declared, or 0 */
};

struct session *session_new(const struct session_kind *kind, const struct session_host *host,
			    const char *client, const char *id, uint64_t now);
void session_free(struct session *session);	/* upstreams must still be there: it records their end */

/* Wall clock seconds for the trace field; call before bytes that may end a header. */
void session_clock(struct session *session, int64_t seconds);

/* Input. session_client takes all of @bytes; call it only while session_wants_client(). */
void session_client(struct session *session, const uint8_t *bytes, size_t n, uint64_t now);
/* The client sends no more, but may still read: some close their half behind the dot and QUIT. */
void session_client_eof(struct session *session, uint64_t now);
/* Did the destination take a message that the client may not have read about yet? */
bool session_is_unacked(const struct session *session);
/*
 * session_client_gone - the connection broke, or the client will not read what is written to it
 * @unread: it may not have got what was written to it last: a reset, or octets never acknowledged
 */
void session_client_gone(struct session *session, bool unread, uint64_t now);
/* False while an upstream or the client itself does not take what it is sent, or an answer is waited for. */
bool session_wants_client(const struct session *session);
struct buffer *session_output(struct session *session);	/* to the client: write, then buffer_take */

/* Take the next thing asked for; ASK_NOTHING if there is none. Call after every input. */
void session_next(struct session *session, struct ask *ret);
void session_facts(const struct session *session, struct session_facts *ret);

/* Answers. @reply is copied; a code of 4xx or 5xx. */
void session_routed(struct session *session, const struct route *route, uint64_t now);
void session_unrouted(struct session *session, const struct reply *reply, uint64_t now);
const struct route *session_leg_route(const struct session *session, int leg);
bool session_has_route(const struct session *session, const struct route *route);	/* one of its legs */
/* @back is idle and stays the driver's; @reused: it has served before, so that one that dies before
 * MAIL is answered is released and dialled again, once, with ask.reusable false. */
void session_leg_up(struct session *session, int leg, struct back *back, bool reused, uint64_t now);
void session_leg_refused(struct session *session, int leg, const struct reply *reply, uint64_t now);
/* Something came from or happened to the upstream: takes the news out of its back. */
void session_leg_news(struct session *session, int leg, uint64_t now);
void session_authenticated(struct session *session, int verdict, uint64_t now);	/* 0, -EACCES, -EAGAIN */
void session_tls_done(struct session *session, bool good, uint64_t now);

/* The process wants to end: 421 as soon as no transaction is in hand. */
void session_stop(struct session *session, uint64_t now);
/* When session_tick() wants to be called, or 0. */
uint64_t session_deadline(const struct session *session);
void session_tick(struct session *session, uint64_t now);

/* Octets it holds, for the memory figures. */
size_t session_memory(const struct session *session);
