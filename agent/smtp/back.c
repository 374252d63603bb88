/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's side of one connection. What was sent and not answered yet stands in `pending`, in order: an
 * answer belongs to the oldest. Without PIPELINING commands wait in `queued` until that list is empty.
 *
 * Whatever breaks the dialogue (an answer to nothing, a malformed one, 421, silence, the end) is one event,
 * BACK_DOWN, and after it there are no others. Nothing is sent to make up for it: who owns the
 * connection closes it.
 */
#include "smtp/back.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum back_phase { PHASE_OPENING, PHASE_HANDSHAKE, PHASE_READY, PHASE_DOWN };

enum { SECOND = 1000000 };

static const struct { unsigned seconds; const char *name; } verbs[BACK_VERBS] = {
	[BACK_GREETING] = { BACK_WAIT_GREETING, "the greeting" },
	[BACK_HELLO] = { BACK_WAIT_HELLO, "EHLO" },
	[BACK_STARTTLS] = { BACK_WAIT_HELLO, "STARTTLS" },
	[BACK_MAIL] = { BACK_WAIT_MAIL, "MAIL" },
	[BACK_RCPT] = { BACK_WAIT_RCPT, "RCPT" },
	[BACK_DATA] = { BACK_WAIT_DATA, "DATA" },
	[BACK_END] = { BACK_WAIT_END, "the end of the message" },
	[BACK_RSET] = { BACK_WAIT_RSET, "RSET" },
	[BACK_QUIT] = { BACK_WAIT_QUIT, "QUIT" },
	[BACK_RAW] = { BACK_WAIT_HELLO, "a command" },
};

void back_news_drop(struct back_news *news)
{
	reply_drop(&news->reply);
}

static void tell(struct back *back, enum back_event event, enum back_verb verb, struct reply *reply)
{
	struct back_news news = { .event = event, .verb = verb };

	if (reply)
		news.reply = reply_take(reply);
	PUSH(&back->news, news);
}

/* What is being waited for, or would be next. */
static enum back_verb waiting_for(const struct back *back)
{
	return back->pending.n > 0 ? back->pending.at[0].verb : BACK_RAW;
}

static void PRINTF(3, 4) go_down(struct back *back, struct reply *reply, const char *format, ...)
{
	struct back_news *news;
	va_list arguments;

	if (back->phase == PHASE_DOWN)
		return;
	tell(back, BACK_DOWN, waiting_for(back), reply);
	news = &back->news.at[back->news.n - 1];
	va_start(arguments, format);
	vsnprintf(news->why, sizeof news->why, format, arguments);
	va_end(arguments);
	back->phase = PHASE_DOWN;
	back->pending.n = back->n_sent = 0;
	back->in_body = false;
	buffer_drop(&back->queued);
	buffer_drop(&back->out);
}

static void go_down_tls(struct back *back, struct reply *reply, const char *why)
{
	if (back->phase == PHASE_DOWN)
		return;
	go_down(back, reply, "%s", why);
	back->news.at[back->news.n - 1].tls_failed = true;
}

static void expect(struct back *back, enum back_verb verb)
{
	if (back->pending.n == 0)
		back->since = back->now;
	PUSH(&back->pending, (struct back_pending){ verb });
}

static void say_hello(struct back *back)
{
	back->caps = (struct caps){ 0 };
	expect(back, BACK_HELLO);
	buffer_print(&back->out, "EHLO %s\r\n", back->ehlo);
	back->n_sent++;
}

void back_start(struct back *back, uint64_t now)
{
	back->now = now;
	back->is_tls = back->implicit_tls;
	reply_reader_init(&back->reader);
	expect(back, BACK_GREETING);
	back->n_sent = 1;
}

void back_drop(struct back *back)
{
	buffer_drop(&back->out);
	buffer_drop(&back->queued);
	reply_drop(&back->greeting);
	reply_drop(&back->hello);
	reply_reader_drop(&back->reader);
	for (size_t i = 0; i < back->news.n; i++)
		back_news_drop(&back->news.at[i]);
	free(back->news.at);
	free(back->pending.at);
	*back = (struct back){ 0 };
}

/* Send what waited, as far as the destination takes it. */
static void send_queued(struct back *back)
{
	const char *at = (const char *)buffer_bytes(&back->queued);
	size_t len = buffer_len(&back->queued);
	const char *end = len ? memchr(at, '\n', len) : NULL;

	if (!end || back->n_sent > 0)
		return;
	len = (size_t)(end - at) + 1;
	buffer_put(&back->out, at, len);
	buffer_take(&back->queued, len);
	back->n_sent = 1;
}

static void take_caps(struct back *back)
{
	const char *at = (const char *)buffer_bytes(&back->hello.text);
	size_t left = buffer_len(&back->hello.text);
	bool first = true;

	while (left > 0) {
		const char *end = memchr(at, '\n', left);
		size_t len = end ? (size_t)(end - at) : left;

		if (!first)			/* the first line is a name and a greeting */
			caps_add(&back->caps, (struct text){ at, len });
		first = false;
		at += end ? len + 1 : len;
		left -= end ? len + 1 : len;
	}
}

static void be_up(struct back *back)
{
	back->phase = PHASE_READY;
	tell(back, BACK_UP, BACK_HELLO, NULL);
}

static void answer_greeting(struct back *back, struct reply *reply)
{
	if (reply->code != 220) {
		go_down(back, reply->code >= 400 ? reply : NULL, "refused by its greeting");
		return;
	}
	back->greeting = reply_take(reply);
	say_hello(back);
}

/* A server that does not know EHLO: RFC 5321 section 3.2. */
static void say_helo(struct back *back)
{
	back->said_helo = true;
	expect(back, BACK_HELLO);
	buffer_print(&back->out, "HELO %s\r\n", back->ehlo);
	back->n_sent++;
}

static void answer_hello(struct back *back, struct reply *reply)
{
	if ((reply->code == 500 || reply->code == 502) && !back->said_helo &&
	    back->tls != BACK_TLS_MUST) {
		say_helo(back);
		return;
	}
	if (reply->code != 250) {
		go_down(back, reply->code >= 400 ? reply : NULL, "EHLO was refused");
		return;
	}
	reply_drop(&back->hello);
	back->hello = reply_take(reply);
	if (!back->said_helo)
		take_caps(back);
	if (!back->is_tls && back->tls != BACK_TLS_NEVER && back->caps.has & CAP_STARTTLS) {
		expect(back, BACK_STARTTLS);
		buffer_text(&back->out, "STARTTLS\r\n");
		back->n_sent++;
		return;
	}
	if (!back->is_tls && back->tls == BACK_TLS_MUST)
		go_down_tls(back, NULL, "TLS is needed and not offered");
	else
		be_up(back);
}

static void answer_starttls(struct back *back, struct reply *reply)
{
	if (reply->code == 220) {
		back->phase = PHASE_HANDSHAKE;
		tell(back, BACK_WANT_TLS, BACK_STARTTLS, NULL);
	} else if (back->tls == BACK_TLS_MUST) {
		go_down_tls(back, reply->code >= 400 ? reply : NULL, "STARTTLS was refused");
	} else {
		be_up(back);
	}
}

/* An answer that nobody asked for, or before the end of a text: no dialogue any more. */
static void answer_unasked(struct back *back, struct reply *reply)
{
	if (reply->code >= 400)
		go_down(back, reply, back->in_body ? "refused within the message" : "it closes");
	else
		go_down(back, NULL, "an answer to no question");
}

static void take_reply(struct back *back, struct reply *reply)
{
	enum back_verb verb;

	if (back->pending.n == 0 || back->n_sent == 0) {
		answer_unasked(back, reply);
		return;
	}
	verb = back->pending.at[0].verb;
	if (reply->code == 421) {		/* RFC 5321 section 3.8: it closes, whatever we had asked */
		go_down(back, reply, "it closes");
		return;
	}
	back->pending.n--;
	memmove(back->pending.at, back->pending.at + 1,
		back->pending.n * sizeof *back->pending.at);
	back->n_sent--;
	back->since = back->now;
	if (verb == BACK_GREETING)
		answer_greeting(back, reply);
	else if (verb == BACK_HELLO)
		answer_hello(back, reply);
	else if (verb == BACK_STARTTLS)
		answer_starttls(back, reply);
	else
		tell(back, BACK_REPLY, verb, reply);
	send_queued(back);
}

void back_bytes(struct back *back, const uint8_t *bytes, size_t n, uint64_t now)
{
	back->now = now;
	while (n > 0 && (back->phase == PHASE_OPENING || back->phase == PHASE_READY)) {
		struct reply reply = { 0 };
		int r = reply_next(&back->reader, &bytes, &n, &reply);

		if (r == 0)
			return;
		if (r < 0)
			go_down(back, NULL, r == -EMSGSIZE ? "an answer that is too long"
							   : "an answer that is none");
		else
			take_reply(back, &reply);
		reply_drop(&reply);
	}
	if (back->phase == PHASE_HANDSHAKE) {	/* whatever came behind the 220 was not encrypted */
		reply_reader_drop(&back->reader);
		reply_reader_init(&back->reader);
	}
}

void back_eof(struct back *back, const char *why, uint64_t now)
{
	back->now = now;
	go_down(back, NULL, "%s while waiting for %s", why, verbs[waiting_for(back)].name);
}

void back_tls_done(struct back *back, bool good, const char *why, uint64_t now)
{
	back->now = now;
	if (back->phase != PHASE_HANDSHAKE)
		return;
	if (!good) {
		go_down_tls(back, NULL, why);
		return;
	}
	back->phase = PHASE_OPENING;
	back->is_tls = true;
	say_hello(back);
}

uint64_t back_deadline(const struct back *back)
{
	if (back->phase == PHASE_DOWN)
		return 0;
	if (back->phase == PHASE_HANDSHAKE)
		return back->since + (uint64_t)BACK_WAIT_HELLO * SECOND;
	if (back->pending.n > 0)
		return back->since + (uint64_t)verbs[back->pending.at[0].verb].seconds * SECOND;
	if (back->in_body && buffer_len(&back->out) > 0)
		return back->since + (uint64_t)BACK_WAIT_BLOCK * SECOND;
	return 0;
}

void back_tick(struct back *back, uint64_t now)
{
	uint64_t deadline = back_deadline(back);

	back->now = now;
	if (deadline == 0 || now < deadline)
		return;
	if (back->phase == PHASE_HANDSHAKE)
		go_down_tls(back, NULL, "the TLS handshake took too long");
	else if (back->pending.n > 0)
		go_down(back, NULL, "no answer to %s in %u s", verbs[waiting_for(back)].name,
			verbs[waiting_for(back)].seconds);
	else
		go_down(back, NULL, "it took nothing of the text for %u s", BACK_WAIT_BLOCK);
	back->news.at[back->news.n - 1].timed_out = true;
}

bool back_next(struct back *back, struct back_news *ret)
{
	if (back->news.n == 0)
		return false;
	*ret = back->news.at[0];
	back->news.n--;
	memmove(back->news.at, back->news.at + 1, back->news.n * sizeof *back->news.at);
	return true;
}

bool back_is_idle(const struct back *back)
{
	return back->phase == PHASE_READY && back->pending.n == 0 && !back->in_body &&
	       back->news.n == 0;
}

bool back_is_spent(const struct back *back)
{
	return back->caps.mail_max > 0 && back->n_transactions >= back->caps.mail_max;
}

bool back_is_down(const struct back *back)
{
	return back->phase == PHASE_DOWN;
}

static void put_line(struct buffer *out, const char *line)
{
	buffer_text(out, line);
	buffer_put(out, "\r\n", 2);
}

void back_command(struct back *back, enum back_verb verb, const char *line, uint64_t now)
{
	back->now = now;
	if (back->phase == PHASE_DOWN)
		return;				/* its BACK_DOWN is the answer */
	expect(back, verb);
	if (verb == BACK_MAIL)
		back->n_transactions++;
	if (back->pending.n == 1 || (back->caps.has & CAP_PIPELINING && verb != BACK_RAW)) {
		put_line(&back->out, line);
		back->n_sent++;
	} else {
		put_line(&back->queued, line);
	}
}

void back_body(struct back *back, struct text piece, bool run, uint64_t now)
{
	back->now = now;
	if (back->phase == PHASE_DOWN)
		return;
	if (!back->in_body || buffer_len(&back->out) == 0)
		back->since = now;
	back->in_body = true;
	if (run)
		body_encode_run(&back->encoder, piece, &back->out);
	else
		body_encode(&back->encoder, piece, &back->out);
}

void back_written(struct back *back, uint64_t now)
{
	back->now = now;
	if (back->in_body || (back->pending.n > 0 && back->pending.at[0].verb == BACK_END))
		back->since = now;
}

void back_end(struct back *back, uint64_t now)
{
	back->now = now;
	if (back->phase == PHASE_DOWN)
		return;
	body_encode_end(&back->encoder, &back->out);
	back->in_body = false;
	expect(back, BACK_END);
	back->n_sent++;
}
