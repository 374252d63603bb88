/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session's frame: input, output, what it asks of its driver, time, and the end. Commands and text are
 * taken from the client only as fast as they can be acted upon; what came with them waits in `input`, at most
 * what the driver read in one go, as it then stops reading.
 */
#include "smtp/session.h"

#include "smtp/session_parts.h"

#include "base/mem.h"

#include <string.h>

enum { SECOND = 1000000, IDLE_S = 300, TEXT_S = 180 };

struct session *session_new(const struct session_kind *kind, const struct session_host *host,
			    const char *client, const char *id, uint64_t now)
{
	struct session *session = mem_zero(1, sizeof *session);

	session->kind = kind;
	session->host = host;
	session->client = mem_copy(client);
	session->id = mem_copy(id);
	session->now = session->since = now;
	session->is_tls = kind->tls == FRONT_TLS_IMPLICIT;
	session->is_lmtp = kind->front == FRONT_LMTP;
	session->lines.max = SESSION_LINE_MAX;
	if (kind->point == POINT_ACCEPT)
		session_ask_route(session, ROUTE_OPENING, 0);
	else
		session_greet(session);
	session_flush_slots(session);
	return session;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	session->standing = false;
	session_end_transaction(session);
	session_forget_hello(session);
	for (size_t i = 0; i < session->slots.n; i++)
		reply_drop(&session->slots.at[i].reply);
	free(session->slots.at);
	free(session->asks.at);
	free(session->rcpts.at);
	free(session->legs.at);
	free(session->unacked.at);
	line_reader_drop(&session->lines);
	buffer_drop(&session->input);
	buffer_drop(&session->output);
	buffer_drop(&session->line);
	reply_drop(&session->no_route);
	free(session->client);
	free(session->id);
	free(session);
}

void session_clock(struct session *session, int64_t seconds)
{
	session->clock = seconds;
}

void session_ask(struct session *session, enum ask_kind kind, int leg)
{
	PUSH(&session->asks, ((struct ask){ .kind = kind, .leg = leg }));
}

void session_close(struct session *session)
{
	if (session->state == SESSION_CLOSED)
		return;
	session->standing = false;
	session_end_transaction(session);
	session->state = SESSION_CLOSED;
	session_ask(session, ASK_CLOSE, -1);
}

bool session_is_quiet(const struct session *session)
{
	return session->slots.n == 0 && session->routing == ROUTE_NOTHING &&
	       (session->state == SESSION_GREETED || session->state == SESSION_READY ||
		session->state == SESSION_MAIL || session->state == SESSION_AUTH);
}

/* What comes now is not for us: RFC 3207 section 6 for what came before the handshake. */
static bool is_deaf(const struct session *session)
{
	return session->state == SESSION_CLOSED || session->state == SESSION_HANDSHAKE ||
	       session->state == SESSION_PIPE;
}

static bool takes_lines(const struct session *session)
{
	return session->state == SESSION_GREETED || session->state == SESSION_READY ||
	       session->state == SESSION_MAIL || session->state == SESSION_AUTH;
}

static bool takes_text(const struct session *session)
{
	return session->state == SESSION_TEXT && !session->dot && !session->header_wait;
}

/* One line from the bytes at hand, or the one that had to wait. False: nothing can be done now. */
static bool take_line(struct session *session, const uint8_t **at, size_t *n)
{
	struct text line = { "", 0 };

	if (session->has_line) {
		line = (struct text){ (const char *)buffer_bytes(&session->line),
				      buffer_len(&session->line) };
		if (!session_command(session, line, session->line_is_bare))
			return false;
		session->has_line = false;
		buffer_drop(&session->line);
		session->since = session->now;
		return true;
	}
	switch (line_next(&session->lines, at, n, &line)) {
	case LINE_MORE:
		return false;
	case LINE_LONG:
		session->errors++;
		session_say(session, 500, "5.5.2 line too long");
		return true;
	case LINE_BARE:
		session->line_is_bare = true;
		break;
	case LINE_GOOD:
		session->line_is_bare = false;
		break;
	}
	if (session_command(session, line, session->line_is_bare)) {
		session->since = session->now;
		return true;
	}
	buffer_put(&session->line, line.at, line.len);
	session->has_line = true;
	return false;
}

/* Nothing more can come of what a client has sent that sends no more. */
static bool is_at_end(const struct session *session)
{
	return session->eof && !session->has_line && !is_deaf(session) &&
	       session->state != SESSION_VERDICT &&
	       !(session->state == SESSION_TEXT && session->dot);
}

/* As much as can be done with the bytes at hand. */
static void work(struct session *session, const uint8_t **at, size_t *n)
{
	bool more = true;

	while (more) {
		session_settle(session);
		session_flush_slots(session);
		if (session->stopping && session_is_quiet(session) &&
		    session->state != SESSION_MAIL) {
			session_say(session, 421, "4.3.2 the service closes, come again");
			session_close(session);
		}
		if (takes_lines(session)) {
			more = take_line(session, at, n);
		} else if (takes_text(session) && *n > 0) {
			session->since = session->now;
			session_text(session, at, n);
		} else {
			more = false;
		}
		if (session->errors >= SESSION_ERRORS_MAX && session->state != SESSION_CLOSED) {
			session_say(session, 421, "4.7.0 too many errors");
			session_close(session);
		}
	}
	session_flush_slots(session);
	if (*n == 0 && is_at_end(session))
		session_close(session);
}

/* Go on with what waits in `input`; after every answer of the driver. */
void session_pump(struct session *session)
{
	const uint8_t *at = buffer_bytes(&session->input);
	size_t n = buffer_len(&session->input), before = n;

	work(session, &at, &n);
	if (is_deaf(session))
		n = 0;
	buffer_take(&session->input, before - n);
	buffer_trim(&session->input);
}

void session_client(struct session *session, const uint8_t *bytes, size_t n, uint64_t now)
{
	session->now = now;
	if (is_deaf(session))
		return;
	if (buffer_len(&session->output) == 0)
		session->unacked.n = 0;		/* it goes on: it has read what was said */
	if (session->state == SESSION_OPENING && session->kind->front != FRONT_INTERCEPT) {
		session_say(session, 554, "5.5.0 nothing may be said before the greeting");
		session_close(session);
	}
	if (buffer_len(&session->input) > 0) {
		buffer_put(&session->input, bytes, n);
		session_pump(session);
		return;
	}
	work(session, &bytes, &n);
	if (!is_deaf(session))
		buffer_put(&session->input, bytes, n);
}

void session_client_eof(struct session *session, uint64_t now)
{
	session->now = now;
	session->eof = true;
	if (session->state == SESSION_HANDSHAKE)
		session_close(session);
	session_pump(session);
}

bool session_is_unacked(const struct session *session)
{
	return session->unacked.n > 0;
}

void session_client_gone(struct session *session, bool unread, uint64_t now)
{
	session->now = now;
	if (session->gone)
		return;
	session->gone = true;
	if (unread)
		session_unread(session);
	if (session->state != SESSION_VERDICT)
		session_close(session);
}

bool session_wants_client(const struct session *session)
{
	if (session->gone || session->eof || session->has_line || buffer_len(&session->input) > 0 ||
	    buffer_len(&session->output) > SESSION_OUT_HIGH)
		return false;
	for (size_t i = 0; i < session->legs.n; i++)
		if (session->legs.at[i].back &&
		    buffer_len(&session->legs.at[i].back->out) > SESSION_OUT_HIGH)
			return false;
	/* While upstreams are asked for 354 one read is kept, at most. */
	return takes_lines(session) || takes_text(session) || session->state == SESSION_DATA;
}

struct buffer *session_output(struct session *session)
{
	return &session->output;
}

void session_next(struct session *session, struct ask *ret)
{
	*ret = (struct ask){ .kind = ASK_NOTHING };
	if (session->asks.n == 0)
		return;
	*ret = session->asks.at[0];
	session->asks.n--;
	memmove(session->asks.at, session->asks.at + 1,
		session->asks.n * sizeof *session->asks.at);
	if (ret->kind == ASK_AUTH) {
		ret->user = session->auth_name;
		ret->password = session->password;
	}
}

void session_facts(const struct session *session, struct session_facts *ret)
{
	*ret = (struct session_facts){
		.helo = session->helo, .user = session->user, .sender = session->sender,
		.parameter = session->parameter, .is_tls = session->is_tls,
		.size = session->mail.has_size ? session->mail.size : 0,
		.header = session->head_done && session->kind->header ? session->scan.value : NULL,
	};
	if (session->routing == ROUTE_RCPT || session->routing == ROUTE_HEADER)
		ret->rcpt = session->rcpts.at[session->routing_rcpt].address;
}

void session_stop(struct session *session, uint64_t now)
{
	session->now = now;
	session->stopping = true;
	session_pump(session);
}

uint64_t session_deadline(const struct session *session)
{

	if (session->state == SESSION_HANDSHAKE)
		return session->since + 60ull * SECOND;
	if (session->state == SESSION_TEXT && takes_text(session))
		return session->since + (uint64_t)TEXT_S * SECOND;
	return session_is_quiet(session) ? session->since + (uint64_t)IDLE_S * SECOND : 0;
}

void session_tick(struct session *session, uint64_t now)
{
	uint64_t deadline = session_deadline(session);

	session->now = now;
	if (deadline == 0 || now < deadline || session->state == SESSION_CLOSED)
		return;
	if (session->state != SESSION_HANDSHAKE)
		session_say(session, 421, "4.4.2 nothing was said for too long");
	session_flush_slots(session);
	session_close(session);
}

size_t session_memory(const struct session *session)
{
	return sizeof *session + session->input.room + session->output.room + session->head.room +
	       session->lines.kept.room + session->line.room +
	       session->rcpts.room * sizeof *session->rcpts.at +
	       session->legs.room * sizeof *session->legs.at +
	       session->slots.room * sizeof *session->slots.at +
	       session->asks.room * sizeof *session->asks.at;
}
