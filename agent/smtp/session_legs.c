/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routes and upstreams. A leg is one destination of one transaction; a standing leg, opened before there
 * was any transaction, outlives them. What an upstream answers is turned into outcomes here; what they
 * mean for the client is said in session_mail.c and session_text.c.
 */
#include "smtp/session_parts.h"

#include "base/mem.h"

#include <string.h>

void session_ask_route(struct session *session, enum route_for what, uint32_t rcpt)
{
	session->routing = what;
	session->routing_rcpt = rcpt;
	session_ask(session, ASK_ROUTE, -1);
}

static void dial(struct session *session, int leg, bool reusable)
{
	session->legs.at[leg].state = LEG_DIALLING;
	session_ask(session, ASK_DIAL, leg);
	session->asks.at[session->asks.n - 1].reusable = reusable;
}

void session_open_leg(struct session *session, const struct route *route, int *ret_leg)
{
	for (size_t i = 0; i < session->legs.n; i++) {
		*ret_leg = (int)i;
		if (session->legs.at[i].route == route)
			return;
	}
	PUSH(&session->legs, ((struct leg){ .route = route }));
	*ret_leg = (int)session->legs.n - 1;
	dial(session, *ret_leg, true);
}

/* A standing leg that is not up any more, for the next transaction. */
void session_reopen_leg(struct session *session)
{
	if (session->legs.at[0].state == LEG_GONE)
		dial(session, 0, true);
}

const struct route *session_leg_route(const struct session *session, int leg)
{
	return session->legs.at[leg].route;
}

bool session_has_route(const struct session *session, const struct route *route)
{
	for (size_t i = 0; i < session->legs.n; i++)
		if (session->legs.at[i].route == route)
			return true;
	return false;
}

struct reply session_lost(void)
{
	return reply_make(451, "4.4.2 the destination has closed the connection");
}

/* Which leg a recipient has, now that its route is known; or why it can have none. */
static void route_rcpt(struct session *session, const struct route *route)
{
	struct rcpt *rcpt = &session->rcpts.at[session->routing_rcpt];
	bool header = session->header_wait;

	if (session->kind->front != FRONT_LMTP && session->legs.n > 0 &&
	    session->legs.at[0].route != route) {
		AUTO(reply_drop) struct reply reply =
			reply_make(452, "4.5.3 this recipient needs a transaction of its own");

		session_rcpt_done(session, session->routing_rcpt, &reply);
		return;
	}
	session_open_leg(session, route, &rcpt->leg);
	rcpt->state = RCPT_WAITS;
	if (session->legs.at[rcpt->leg].state == LEG_GONE) {	/* it failed after recipients before this one */
		AUTO(reply_drop) struct reply lost = session_lost();

		session_rcpt_done(session, session->routing_rcpt, &lost);
	} else if (!header) {
		session_send_envelope(session, rcpt->leg);
	}
}

void session_routed(struct session *session, const struct route *route, uint64_t now)
{
	enum route_for what = session->routing;
	int leg;

	session->now = now;
	session->routing = ROUTE_NOTHING;
	if (session->state == SESSION_CLOSED || what == ROUTE_NOTHING)
		return;
	reply_drop(&session->no_route);
	if (what == ROUTE_RCPT || what == ROUTE_HEADER) {
		route_rcpt(session, route);
	} else {
		session->standing = what != ROUTE_MAIL;
		session_open_leg(session, route, &leg);
	}
	if (what == ROUTE_HEADER)
		session_text_continue(session);
	session_pump(session);
}

/* There will be no upstream before the banner, or at EHLO. */
static void open_without(struct session *session, enum route_for what, const struct reply *reply,
			 bool dialled)
{
	if (what == ROUTE_HELLO || session->kind->front != FRONT_INTERCEPT) {
		reply_drop(&session->no_route);	/* of an EHLO before */
		session->no_route = reply_copy(reply);
	}
	if (what == ROUTE_HELLO) {
		session_hello_reply(session);
	} else if (session->kind->front != FRONT_INTERCEPT) {
		session_greet(session);
	} else if (dialled) {
		session_close(session);
		session->asks.at[session->asks.n - 1].kind = ASK_RESET;
	} else {
		struct reply refusal = { .code = 421 };

		buffer_put(&refusal.text, buffer_bytes(&reply->text), buffer_len(&reply->text));
		session_say_reply(session, &refusal);
		session_close(session);
	}
}

void session_unrouted(struct session *session, const struct reply *reply, uint64_t now)
{
	enum route_for what = session->routing;

	session->now = now;
	session->routing = ROUTE_NOTHING;
	if (session->state == SESSION_CLOSED || what == ROUTE_NOTHING)
		return;
	if (what == ROUTE_OPENING || what == ROUTE_HELLO) {
		open_without(session, what, reply, false);
	} else if (what == ROUTE_MAIL) {
		session_fill(session, SLOT_MAIL, 0, reply);
		session->mail_refused = true;
		session_record(session, -1, OUTCOME_REFUSED, reply);
	} else {
		session_rcpt_done(session, session->routing_rcpt, reply);
	}
	if (what == ROUTE_HEADER)
		session_text_continue(session);
	session_pump(session);
}

void session_leg_up(struct session *session, int leg, struct back *back, bool reused, uint64_t now)
{
	struct leg *at = &session->legs.at[leg];

	session->now = now;
	at->back = back;
	at->state = LEG_UP;
	at->reused = reused;
	if (session->state == SESSION_OPENING)
		session_greet(session);
	else if (session->standing && session->slots.n > 0 &&
		 session->slots.at[0].kind == SLOT_HELLO)
		session_hello_reply(session);
	else
		session_send_envelope(session, leg);
	session_pump(session);
}

/* What is left of the transaction for a leg that is not there: each waiting outcome is @reply. */
static void fail_leg(struct session *session, int leg, const struct reply *reply)
{
	struct leg *at = &session->legs.at[leg];

	if (session->state == SESSION_OPENING ||
	    (session->slots.n > 0 && session->slots.at[0].kind == SLOT_HELLO)) {
		open_without(session, session->state == SESSION_OPENING ? ROUTE_OPENING
									: ROUTE_HELLO,
			     reply, true);
		return;
	}
	if (at->data_sent && at->verdict.code == 0) {
		at->verdict = reply_copy(reply);
		at->text = false;
	}
	session_envelope_failed(session, leg, reply);
	session_data_settled(session);
}

void session_leg_refused(struct session *session, int leg, const struct reply *reply, uint64_t now)
{
	session->now = now;
	session->legs.at[leg].state = LEG_GONE;
	fail_leg(session, leg, reply);
	session_pump(session);
}

void session_release_leg(struct session *session, int leg, bool reusable)
{
	struct leg *at = &session->legs.at[leg];
	bool open = at->mail_sent && at->mail.code == 0 && !at->ended;

	if (at->state != LEG_UP && at->state != LEG_DIALLING)
		return;
	if (at->back && (back_is_down(at->back) || back_is_spent(at->back) ||
			 (at->data_sent && !at->ended)))
		reusable = false;
	if (at->back && reusable && open)
		back_command(at->back, BACK_RSET, "RSET", session->now);
	at->back = NULL;
	at->state = LEG_GONE;
	session_ask(session, ASK_RELEASE, leg);
	session->asks.at[session->asks.n - 1].reusable = reusable;
}

static void drop_leg(struct leg *leg)
{
	reply_drop(&leg->mail);
	reply_drop(&leg->verdict);
}

/* The standing leg as if it had never seen a transaction. */
static void keep_standing(struct session *session)
{
	struct leg *at = &session->legs.at[0];
	struct leg fresh = { .route = at->route, .back = at->back, .state = at->state,
			     .reused = at->reused };

	if ((at->data_sent && !at->ended) ||
	    (at->back && back_is_spent(at->back) && session->kind->front != FRONT_INTERCEPT)) {
		session_release_leg(session, 0, false);
		fresh.back = NULL;
		fresh.state = LEG_GONE;
	} else if (at->back && at->mail_sent && at->mail.code == 0 && !at->ended) {
		back_command(at->back, BACK_RSET, "RSET", session->now);
	}
	drop_leg(at);
	*at = fresh;
}

void session_release_legs(struct session *session)
{
	size_t first = session->standing && session->legs.n > 0 ? 1 : 0;

	if (first)
		keep_standing(session);
	for (size_t i = first; i < session->legs.n; i++) {
		session_release_leg(session, (int)i, true);
		drop_leg(&session->legs.at[i]);
	}
	session->legs.n = first;
}

/* A connection that had been idle may have been closed meanwhile: another one, once, and nobody knows. */
static bool redial(struct session *session, int leg)
{
	struct leg *at = &session->legs.at[leg];

	if (!at->reused || at->redialled || at->mail_good || at->mail.code || !session->sender)
		return false;
	for (size_t i = 0; i < session->rcpts.n; i++)
		if (session->rcpts.at[i].leg == leg && session->rcpts.at[i].state == RCPT_SENT)
			session->rcpts.at[i].state = RCPT_WAITS;
	at->mail_sent = false;
	at->redialled = true;
	dial(session, leg, false);
	return true;
}

static void leg_down(struct session *session, int leg, struct back_news *news)
{
	struct leg *at = &session->legs.at[leg];
	bool final = news->reply.code >= 400;
	struct reply reply = final ? reply_copy(&news->reply)
				   : reply_make(451, "4.4.2 the destination: %s", news->why);

	session_release_leg(session, leg, false);
	if (redial(session, leg)) {
		reply_drop(&reply);
		return;
	}
	at->lost = !final && at->data_sent && session->dot;
	if (session->kind->front == FRONT_INTERCEPT && !at->data_sent && news->verb != BACK_RAW) {
		reply.code = final ? reply.code : 421;	/* as the destination: it is gone */
		fail_leg(session, leg, &reply);
		if (session->slots.n == 0 && final)
			session_say_reply(session, &reply);
		session_flush_slots(session);
		session_close(session);
	} else if (news->verb == BACK_RAW && session_fill(session, SLOT_RAW, 0, &reply)) {
		session_flush_slots(session);
		session_close(session);
	} else {
		if (reply.code == 421)
			reply.code = 451;	/* it closes; we do not */
		fail_leg(session, leg, &reply);
	}
	reply_drop(&reply);
}

/* The oldest recipient that this leg was asked for and has not answered. */
static uint32_t sent_rcpt(const struct session *session, int leg)
{
	for (uint32_t i = 0; i < session->rcpts.n; i++)
		if (session->rcpts.at[i].leg == leg && session->rcpts.at[i].state == RCPT_SENT)
			return i;
	return UINT32_MAX;
}

/* The answer to DATA, or to the text. */
static void take_verdict(struct session *session, int leg, enum back_verb verb,
			 struct reply *reply)
{
	struct leg *at = &session->legs.at[leg];

	if (verb == BACK_DATA && reply->code == 354) {
		at->text = true;
	} else if (reply->code >= 400 || (verb == BACK_END && reply->code < 300)) {
		at->verdict = reply_take(reply);
		at->ended = verb == BACK_END;
		at->data_sent = at->ended;	/* else RSET makes it usable again */
	} else {
		at->verdict = reply_make(451, "4.5.0 the destination answered %d", reply->code);
		session_release_leg(session, leg, false);
	}
	session_data_settled(session);
}

static void take_news(struct session *session, int leg, struct back_news *news)
{
	uint32_t rcpt;

	if (news->event == BACK_DOWN) {
		leg_down(session, leg, news);
		return;
	}
	if (news->event != BACK_REPLY)
		return;
	if (news->verb == BACK_MAIL) {
		session_mail_done(session, leg, &news->reply);
	} else if (news->verb == BACK_RCPT) {
		rcpt = sent_rcpt(session, leg);
		if (rcpt != UINT32_MAX)
			session_rcpt_done(session, rcpt, &news->reply);
		session_data_settled(session);
	} else if (news->verb == BACK_DATA || news->verb == BACK_END) {
		take_verdict(session, leg, news->verb, &news->reply);
	} else if (news->verb == BACK_RAW) {
		session_fill(session, SLOT_RAW, 0, &news->reply);
		if (news->reply.code == 220) {
			session_flush_slots(session);
			session->state = SESSION_PIPE;
			session_ask(session, ASK_PIPE, leg);
		}
	}
}

void session_leg_news(struct session *session, int leg, uint64_t now)
{
	struct back *back = session->legs.at[leg].back;
	struct back_news news;

	session->now = now;
	while (back && (size_t)leg < session->legs.n && session->legs.at[leg].back == back &&
	       back_next(back, &news)) {
		take_news(session, leg, &news);
		back_news_drop(&news);
		session_settle(session);
	}
	session_pump(session);
}
