/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DATA, the text, and what becomes of it. The client hears 354 while the upstreams are asked for it, and
 * its text is looked at when they have answered: that spares a round trip. The header block is held until
 * its end: loops are seen before anything is sent on, and a field that names the binding decides about it.
 * From there on content goes straight to the upstreams. A text that turns out bad is swallowed to its true
 * end; its upstreams are closed without a final dot, so nobody takes what is not whole.
 */
#include "smtp/session_parts.h"

#include "base/mem.h"
#include "smtp/received.h"

#include <string.h>

enum { SWALLOW_FACTOR = 4, SWALLOW_MORE = 64 * 1024 * 1024 };

static void begin_text(struct session *session)
{
	session->state = SESSION_TEXT;
	session->since = session->body_began = session->now;
	session->decoder = (struct body_decoder){ .normalise = session->kind->normalise };
	session->scan = (struct header_scan){ .take = session->kind->header,
					      .self = session->kind->hostname };
	session->digest = digest_begin(session->host->key);
}

static unsigned count_good(const struct session *session)
{
	unsigned n = 0;

	for (size_t i = 0; i < session->rcpts.n; i++)
		n += session->rcpts.at[i].state == RCPT_GOOD;
	return n;
}

static void send_data(struct session *session, struct leg *leg)
{
	leg->data_sent = true;
	if (leg->state == LEG_UP) {
		back_command(leg->back, BACK_DATA, "DATA", session->now);
		return;
	}
	leg->verdict = session_lost();
}

void session_data(struct session *session)
{
	if (count_good(session) == 0) {
		session_say(session, session->is_lmtp ? 503 : 554, "5.5.1 no valid recipients");
		return;
	}
	if (session->kind->point == POINT_HEADER) {
		session_say(session, 354, "end with <CRLF>.<CRLF>");
		begin_text(session);
		return;
	}
	session->state = SESSION_DATA;
	if (session->kind->front == FRONT_INTERCEPT)
		session_wait(session, SLOT_DATA, 0);
	else
		session_say(session, 354, "end with <CRLF>.<CRLF>");
	for (size_t i = 0; i < session->legs.n; i++) {
		if (session->legs.at[i].n_accepted > 0)
			send_data(session, &session->legs.at[i]);
		else
			session_release_leg(session, (int)i, true);
	}
	session_data_settled(session);
}

static struct leg *first_refusing(struct session *session)
{
	for (size_t i = 0; i < session->legs.n; i++)
		if (session->legs.at[i].verdict.code)
			return &session->legs.at[i];
	return NULL;
}

static void record_verdicts(struct session *session)
{
	for (size_t i = 0; i < session->legs.n; i++) {
		const struct leg *leg = &session->legs.at[i];

		if (leg->verdict.code == 0)
			continue;
		session_record(session, (int)i,
			       leg->spared		   ? OUTCOME_SPARED
			       : leg->lost		   ? OUTCOME_LOST
			       : leg->verdict.code < 300 ? OUTCOME_DELIVERED
							   : OUTCOME_REFUSED,
			       &leg->verdict);
	}
}

/* Every leg has answered DATA. Where the client was told to go on meanwhile, refusals answer its dot. */
static void data_answered(struct session *session)
{
	AUTO(reply_drop) struct reply reply = { 0 };
	struct leg *refusing = first_refusing(session);

	if (session->kind->front != FRONT_INTERCEPT) {
		begin_text(session);
	} else if (!refusing) {
		reply = reply_make(354, "end with <CRLF>.<CRLF>");
		session_fill(session, SLOT_DATA, 0, &reply);
		begin_text(session);
	} else {
		session_fill(session, SLOT_DATA, 0, &refusing->verdict);
		record_verdicts(session);
		session_end_transaction(session);
	}
}

/* What the client is told about one recipient. */
static const struct reply *verdict_of(const struct session *session, const struct rcpt *rcpt)
{
	if (rcpt->state == RCPT_BAD)
		return &rcpt->reply;
	if (session->doom.code)
		return &session->doom;
	return &session->legs.at[rcpt->leg].verdict;
}

static void remember(struct session *session, const struct leg *leg)
{
	if (session->gone)
		session->host->remember(session->host->context, &leg->fingerprint);
	else
		PUSH(&session->unacked, leg->fingerprint);
}

static void say_verdicts(struct session *session)
{
	bool header = session->kind->point == POINT_HEADER, told = false;

	for (size_t i = 0; i < session->rcpts.n; i++) {
		const struct rcpt *rcpt = &session->rcpts.at[i];
		struct reply reply;

		if ((rcpt->state == RCPT_BAD && !header) || (told && !session->is_lmtp))
			continue;
		reply = reply_copy(verdict_of(session, rcpt));
		session_say_reply(session, &reply);
		told = true;
	}
}

/* All verdicts are there: the client's answer, the log, the end. */
static void finish(struct session *session)
{
	bool gone = session->gone;

	say_verdicts(session);
	for (size_t i = 0; i < session->legs.n; i++)
		if (session->legs.at[i].verdict.code / 100 == 2)
			remember(session, &session->legs.at[i]);
	record_verdicts(session);
	if (!session->recorded && session->doom.code)
		session_record(session, -1, OUTCOME_REFUSED, &session->doom);
	session->since = session->now;
	session_end_transaction(session);
	if (gone)
		session_close(session);
}

static bool legs_settled(const struct session *session)
{
	for (size_t i = 0; i < session->legs.n; i++) {
		const struct leg *leg = &session->legs.at[i];

		if (leg->data_sent && leg->verdict.code == 0 &&
		    (session->state == SESSION_VERDICT || !leg->text))
			return false;
	}
	return true;
}

void session_data_settled(struct session *session)
{
	if (session->header_wait)
		session_text_continue(session);
	else if (session->state == SESSION_DATA && legs_settled(session))
		data_answered(session);
	else if (session->state == SESSION_VERDICT && legs_settled(session))
		finish(session);
}

/* The message must not be delivered, for this reason. */
static void doom(struct session *session, int code, const char *text)
{
	if (session->doom.code)
		return;
	session->doom = reply_make(code, "%s", text);
	for (size_t i = 0; i < session->legs.n; i++) {
		struct leg *leg = &session->legs.at[i];

		session_release_leg(session, (int)i, false);
		leg->text = false;
		if (leg->data_sent) {
			reply_drop(&leg->verdict);
			leg->verdict = reply_copy(&session->doom);
		}
	}
}

static const char *protocol_name(const struct session *session)
{
	static const char *const names[2][2][2] = {
		{ { "ESMTP", "ESMTPS" }, { "ESMTPA", "ESMTPSA" } },
		{ { "LMTP", "LMTPS" }, { "LMTPA", "LMTPSA" } },
	};

	if (session->mail.smtputf8 && !session->is_lmtp)
		return session->is_tls ? "UTF8SMTPS" : "UTF8SMTP";
	if (!session->said_ehlo)
		return "SMTP";
	return names[session->is_lmtp][session->user != NULL][session->is_tls];
}

static void print_trace(struct session *session, struct buffer *out)
{
	struct received received = {
		.helo = session->helo, .client = session->client, .by = session->kind->hostname,
		.with = protocol_name(session), .id = session->id, .when = session->clock,
		.rcpt = session->rcpts.n == 1 ? session->rcpts.at[0].address : NULL,
	};

	if (session->kind->received)
		received_print(&received, out);
}

static void feed_legs(struct session *session, struct text piece, bool run)
{
	for (size_t i = 0; i < session->legs.n; i++)
		if (session->legs.at[i].text && session->legs.at[i].back)
			back_body(session->legs.at[i].back, piece, run, session->now);
}

/* The header block that was held, with our trace field before it. */
static void send_head(struct session *session)
{
	AUTO(buffer_drop) struct buffer trace = { 0 };

	print_trace(session, &trace);
	feed_legs(session, (struct text){ (const char *)buffer_bytes(&trace), buffer_len(&trace) },
		  true);
	feed_legs(session, (struct text){ (const char *)buffer_bytes(&session->head),
					  buffer_len(&session->head) }, false);
	buffer_drop(&session->head);
}

static void end_text(struct session *session)
{
	session->state = SESSION_VERDICT;
	for (size_t i = 0; i < session->legs.n; i++) {
		struct leg *leg = &session->legs.at[i];

		if (!leg->text)
			continue;
		session_fingerprint(session, (int)i);
		if (session->host->was_delivered(session->host->context, &leg->fingerprint)) {
			leg->spared = true;
			leg->verdict = reply_make(250, "2.0.0 delivered before");
			session_release_leg(session, (int)i, false);
		} else {
			back_end(leg->back, session->now);
		}
	}
	session_data_settled(session);
}

/* The header block has ended. */
static void end_head(struct session *session)
{
	unsigned hops = session->kind->hops_max ? session->kind->hops_max : SESSION_HOPS_MAX;

	session->head_done = true;
	if (session->scan.n_received >= hops || session->scan.n_self >= SESSION_SELF_MAX)
		doom(session, 554, "5.4.6 it has been through here before: a loop");
	else if (session->scan.n_taken > 1)
		doom(session, 550, "5.6.0 the field that names the binding is there twice");
	else if (session->scan.too_long && session->kind->point == POINT_HEADER)
		doom(session, 552, "5.3.4 the header is too long to be looked at");
	if (session->doom.code) {
		buffer_drop(&session->head);
	} else if (session->kind->point == POINT_HEADER) {
		session->header_wait = true;
		session_ask_route(session, ROUTE_HEADER, 0);
	} else {
		send_head(session);
	}
}

/* Recipients whose route is not known yet; SMTP has one, LMTP asks for one after the other. */
static bool route_more(struct session *session)
{
	if (session->routing != ROUTE_NOTHING)
		return true;
	for (uint32_t i = 0; i < session->rcpts.n; i++) {
		struct rcpt *rcpt = &session->rcpts.at[i];

		if (rcpt->leg >= 0 || rcpt->state != RCPT_GOOD)
			continue;
		session_ask_route(session, ROUTE_HEADER, i);
		return true;
	}
	return false;
}

/* Is a recipient of this leg still to be answered? */
static bool leg_waits(const struct session *session, int leg)
{
	for (size_t i = 0; i < session->rcpts.n; i++) {
		const struct rcpt *rcpt = &session->rcpts.at[i];

		if (rcpt->leg == leg &&
		    (rcpt->state == RCPT_WAITS || rcpt->state == RCPT_SENT))
			return true;
	}
	return false;
}

/* While the header has decided and the text waits: everything up to 354, on all legs. */
void session_text_continue(struct session *session)
{
	bool settled = true;

	if (!session->header_wait || route_more(session))
		return;
	for (size_t i = 0; i < session->legs.n; i++) {
		struct leg *leg = &session->legs.at[i];

		session_send_envelope(session, (int)i);
		if (leg_waits(session, (int)i))
			settled = false;
		else if (leg->n_accepted > 0 && !leg->data_sent && leg->verdict.code == 0)
			send_data(session, leg);
	}
	if (!settled || !legs_settled(session))
		return;
	session->header_wait = false;
	session->since = session->now;
	send_head(session);
	if (session->dot)
		end_text(session);
}

static void take_piece(struct session *session, struct text piece)
{
	if (session->decoder.bare && !session->kind->normalise)
		doom(session, 550, "5.5.2 a bare CR or LF: lines end with CRLF");
	if (session->decoder.n_content > session->kind->size_max)
		doom(session, 552, "5.3.4 too large for this relay");
	if (session->doom.code)
		return;
	digest_add(session->digest, piece.at, piece.len);
	if (!session->head_done) {
		size_t used = header_feed(&session->scan, piece, &session->head);

		piece = (struct text){ piece.at + used, piece.len - used };
		if (session->scan.over || session->scan.too_long)
			end_head(session);
	}
	if (session->header_wait)
		buffer_put(&session->head, piece.at, piece.len);
	else if (session->head_done && !session->doom.code)
		feed_legs(session, piece, true);
}

static void take_dot(struct session *session)
{
	session->dot = true;
	if (session->decoder.bare && !session->kind->normalise)
		doom(session, 550, "5.5.2 a bare CR or LF: lines end with CRLF");
	if (!session->head_done && !session->doom.code) {
		header_finish(&session->scan, &session->head);
		end_head(session);
	}
	if (!session->header_wait)
		end_text(session);
}

void session_text(struct session *session, const uint8_t **at, size_t *n)
{
	uint64_t most = session->kind->size_max * SWALLOW_FACTOR + SWALLOW_MORE;
	struct text piece;

	while (*n > 0 && session->state == SESSION_TEXT && !session->dot && !session->header_wait) {
		enum body_event event = body_decode(&session->decoder, at, n, &piece);

		if (event == BODY_PIECE)
			take_piece(session, piece);
		else if (event == BODY_END)
			take_dot(session);
	}
	if (session->decoder.n_content > most && session->state == SESSION_TEXT) {
		session_say(session, 421, "4.3.4 far too large");
		session_close(session);
	}
}
