/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The envelope. MAIL waits for its upstream to be connected, so that a refusal of route, connection or
 * capabilities answers it; then it goes on together with the first RCPT, which spares a round trip. What
 * was promised before that is ours, and a refusal of MAIL becomes that of each RCPT. An intercepted client
 * speaks to the destination itself: there all answers go through one to one.
 */
#include "smtp/session_parts.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static char *text_copy(struct text text)
{
	return text.len > 0 ? mem_text(text.at, text.len) : NULL;
}

/* " RET=FULL ENVID=x", or NULL. */
static char *join(const char *first_name, struct text first, const char *second_name,
		  struct text second)
{
	AUTO(buffer_drop) struct buffer out = { 0 };

	if (first.len > 0)
		buffer_print(&out, " %s=%.*s", first_name, (int)first.len, first.at);
	if (second.len > 0)
		buffer_print(&out, " %s=%.*s", second_name, (int)second.len, second.at);
	return text_copy((struct text){ (const char *)buffer_bytes(&out), buffer_len(&out) });
}

/* Why MAIL cannot be taken at all; code 0: it can. */
static struct refusal_text judge_mail(const struct session *session, const struct command *mail)
{
	const struct session_kind *kind = session->kind;

	if (kind->tls == FRONT_TLS_REQUIRED && !session->is_tls)
		return (struct refusal_text){ 530, "5.7.0 STARTTLS first" };
	if (kind->auth_required && !session->user)
		return (struct refusal_text){ 530, "5.7.0 AUTH first" };
	if (mail->xoutbind.len > 0 && !kind->parameter)
		return (struct refusal_text){ 555, "5.5.4 XOUTBIND is not trusted here" };
	if ((mail->ret.len > 0 || mail->envid.len > 0) && !session->dsn_offered)
		return (struct refusal_text){ 555, "5.5.4 DSN is not offered" };
	if (mail->has_size && mail->size > kind->size_max)
		return (struct refusal_text){ 552, "5.3.4 too large for this relay" };
	if (mail->path.utf8 && !mail->smtputf8)
		return (struct refusal_text){ 553, "5.6.7 an address beyond ASCII needs SMTPUTF8" };
	return (struct refusal_text){ 0, NULL };
}

void session_mail(struct session *session, const struct command *command)
{
	struct refusal_text refusal = judge_mail(session, command);
	struct reply reply;

	if (refusal.code) {
		session->errors++;
		session_say(session, refusal.code, refusal.text);
		return;
	}
	session->mail = *command;
	session->sender = mem_text(command->path.address.at, command->path.address.len);
	session->parameter = text_copy(command->xoutbind);
	session->dsn = join("RET", command->ret, "ENVID", command->envid);
	session->state = SESSION_MAIL;
	session->mail_refused = session->recorded = false;
	session->began = session->now;
	session->body_began = 0;
	if (session->kind->point >= POINT_RCPT) {
		session_say(session, 250, "2.1.0 sender is well-formed");
		return;
	}
	session_wait(session, SLOT_MAIL, 0);
	if (session->no_route.code && !session->standing) {
		reply = reply_take(&session->no_route);
		session_fill(session, SLOT_MAIL, 0, &reply);
		session->mail_refused = true;
		session_record(session, -1, OUTCOME_REFUSED, &reply);
		session->no_route = reply_take(&reply);
	} else if (session->standing) {
		session_reopen_leg(session);
		session_send_envelope(session, 0);
	} else {
		session_ask_route(session, ROUTE_MAIL, 0);
	}
}

void session_rcpt(struct session *session, const struct command *command)
{
	bool header = session->kind->point == POINT_HEADER;
	unsigned most = session->kind->front == FRONT_SMTP && header ? 1 : SESSION_RCPT_MAX;
	struct rcpt rcpt = { .leg = -1, .state = RCPT_ROUTING };

	if (session->rcpts.n >= most) {
		session_say(session, 452, "4.5.3 too many recipients for one transaction");
		return;
	}
	if ((command->notify.len > 0 || command->orcpt.len > 0) && !session->dsn_offered) {
		session_say(session, 555, "5.5.4 DSN is not offered");
		return;
	}
	if (command->path.utf8 && !session->mail.smtputf8) {
		session_say(session, 553, "5.6.7 an address beyond ASCII needs SMTPUTF8");
		return;
	}
	rcpt.address = mem_text(command->path.address.at, command->path.address.len);
	rcpt.parameters = join("NOTIFY", command->notify, "ORCPT", command->orcpt);
	PUSH(&session->rcpts, rcpt);
	if (header) {
		session->rcpts.at[session->rcpts.n - 1].state = RCPT_GOOD;
		session_say(session, 250, "2.1.5 to be decided by the header");
		return;
	}
	session_wait(session, SLOT_RCPT, (uint32_t)session->rcpts.n - 1);
	if (session->kind->point >= POINT_RCPT) {
		session_ask_route(session, ROUTE_RCPT, (uint32_t)session->rcpts.n - 1);
		return;
	}
	session->rcpts.at[session->rcpts.n - 1].leg = 0;
	session->rcpts.at[session->rcpts.n - 1].state = RCPT_WAITS;
	if (session->legs.at[0].state == LEG_GONE) {
		AUTO(reply_drop) struct reply lost = session_lost();

		session_rcpt_done(session, (uint32_t)session->rcpts.n - 1, &lost);
		return;
	}
	session_send_envelope(session, 0);
}

/* What the message needs and the destination does not have; code 0: nothing. */
static struct refusal_text judge_caps(const struct session *session, const struct caps *caps)
{
	const struct command *mail = &session->mail;

	if (mail->smtputf8 && !(caps->has & CAP_SMTPUTF8))
		return (struct refusal_text){ 553, "5.6.7 the destination has no SMTPUTF8" };
	if (mail->body == BODY_8BITMIME && !(caps->has & CAP_8BITMIME) &&
	    !session->kind->ignore_8bit)
		return (struct refusal_text){ 554, "5.6.3 the destination has no 8BITMIME" };
	if (mail->has_size && caps->has & CAP_SIZE && caps->size > 0 && mail->size > caps->size)
		return (struct refusal_text){ 552, "5.3.4 too large for the destination" };
	return (struct refusal_text){ 0, NULL };
}

static void send_mail(struct session *session, struct leg *leg)
{
	AUTO(buffer_drop) struct buffer line = { 0 };
	const struct caps *caps = &leg->back->caps;

	buffer_text(&line, "MAIL FROM:<");
	buffer_text(&line, session->sender);
	buffer_text(&line, ">");
	if (session->mail.has_size && caps->has & CAP_SIZE)
		buffer_print(&line, " SIZE=%llu", (unsigned long long)session->mail.size);
	if (session->mail.body == BODY_8BITMIME && caps->has & CAP_8BITMIME)
		buffer_text(&line, " BODY=8BITMIME");
	if (session->mail.smtputf8)
		buffer_text(&line, " SMTPUTF8");
	if (session->dsn && caps->has & CAP_DSN)
		buffer_text(&line, session->dsn);
	buffer_put(&line, "", 1);
	back_command(leg->back, BACK_MAIL, (const char *)buffer_bytes(&line), session->now);
}

static void send_rcpt(struct session *session, struct leg *leg, struct rcpt *rcpt)
{
	AUTO(buffer_drop) struct buffer line = { 0 };

	buffer_text(&line, "RCPT TO:<");
	buffer_text(&line, rcpt->address);
	buffer_text(&line, ">");
	if (rcpt->parameters && leg->back->caps.has & CAP_DSN)
		buffer_text(&line, rcpt->parameters);
	buffer_put(&line, "", 1);
	back_command(leg->back, BACK_RCPT, (const char *)buffer_bytes(&line), session->now);
	rcpt->state = RCPT_SENT;
}

static bool rcpt_waits(const struct session *session, int leg)
{
	for (size_t i = 0; i < session->rcpts.n; i++)
		if (session->rcpts.at[i].leg == leg && session->rcpts.at[i].state == RCPT_WAITS)
			return true;
	return false;
}

/* MAIL, now or with the first recipient; or why the destination cannot have this message. */
static void begin_envelope(struct session *session, int leg)
{
	struct leg *at = &session->legs.at[leg];
	struct refusal_text refusal = judge_caps(session, &at->back->caps);
	AUTO(reply_drop) struct reply reply = { 0 };

	if (refusal.code) {
		reply = reply_make(refusal.code, "%s", refusal.text);
		session_mail_done(session, leg, &reply);
		return;
	}
	if (session->kind->front != FRONT_INTERCEPT) {
		reply = reply_make(250, "2.1.0 ok");
		session_fill(session, SLOT_MAIL, 0, &reply);
		if (!rcpt_waits(session, leg))
			return;
	}
	send_mail(session, at);
	at->mail_sent = true;
}

void session_send_envelope(struct session *session, int leg)
{
	struct leg *at = &session->legs.at[leg];

	if (at->state != LEG_UP || !session->sender)
		return;
	if (!at->mail_sent && !at->mail.code)
		begin_envelope(session, leg);
	for (uint32_t i = 0; i < session->rcpts.n; i++) {
		struct rcpt *rcpt = &session->rcpts.at[i];

		if (rcpt->leg != leg || rcpt->state != RCPT_WAITS)
			continue;
		if (at->mail.code)
			session_rcpt_done(session, i, &at->mail);
		else
			send_rcpt(session, at, rcpt);
	}
}

void session_mail_done(struct session *session, int leg, const struct reply *reply)
{
	struct leg *at = &session->legs.at[leg];

	if (reply->code >= 200 && reply->code < 300) {
		at->mail_good = true;
		session_fill(session, SLOT_MAIL, 0, reply);
		return;
	}
	at->mail = reply->code >= 400
			   ? reply_copy(reply)
			   : reply_make(451, "4.5.0 the destination answered %d", reply->code);
	if (session_fill(session, SLOT_MAIL, 0, &at->mail))
		session->mail_refused = true;
	session_record(session, leg, OUTCOME_REFUSED, &at->mail);
}

void session_rcpt_done(struct session *session, uint32_t index, const struct reply *reply)
{
	struct rcpt *rcpt = &session->rcpts.at[index];
	struct leg *leg = rcpt->leg >= 0 ? &session->legs.at[rcpt->leg] : NULL;
	AUTO(reply_drop) struct reply odd = { 0 };

	if (session->mail_refused) {		/* as if it had come a moment later */
		odd = reply_make(503, "5.5.1 not now: commands are out of order");
		reply = &odd;
	} else if (leg && leg->mail.code) {
		reply = &leg->mail;
	}
	if (reply->code < 200 || (reply->code >= 300 && reply->code < 400)) {
		odd = reply_make(451, "4.5.0 the destination answered %d", reply->code);
		reply = &odd;
	}
	rcpt->state = reply->code < 300 ? RCPT_GOOD : RCPT_BAD;
	if (rcpt->state == RCPT_BAD) {
		reply_drop(&rcpt->reply);
		rcpt->reply = reply_copy(reply);
	}
	if (leg && rcpt->state == RCPT_GOOD)
		leg->n_accepted++;
	else if (leg)
		leg->n_refused++;
	session_fill(session, SLOT_RCPT, index, reply);
}

void session_envelope_failed(struct session *session, int leg, const struct reply *reply)
{
	struct leg *at = &session->legs.at[leg];

	if (session_fill(session, SLOT_MAIL, 0, reply))
		session->mail_refused = true;
	if (session->sender && !at->mail_sent && !at->mail.code)
		at->mail = reply_copy(reply);	/* recipients that are still to come */
	for (uint32_t i = 0; i < session->rcpts.n; i++) {
		struct rcpt *rcpt = &session->rcpts.at[i];

		if (rcpt->leg == leg &&
		    (rcpt->state == RCPT_WAITS || rcpt->state == RCPT_SENT))
			session_rcpt_done(session, i, reply);
	}
	if (!session->recorded && session->sender && session->state == SESSION_MAIL)
		session_record(session, leg, OUTCOME_REFUSED, reply);
}

/* A refused MAIL has begun nothing: once its RCPTs are answered, all is as before. */
void session_settle(struct session *session)
{
	if (session->state == SESSION_MAIL && session->mail_refused && !session_waits(session) &&
	    session->routing == ROUTE_NOTHING)
		session_end_transaction(session);
}

void session_end_transaction(struct session *session)
{
	if (session->sender && session->state != SESSION_CLOSED) {
		struct reply none = { 0 };

		session_record_refused(session);
		if (!session->recorded)		/* the client gave up */
			session_record(session, session->legs.n > 0 ? 0 : -1,
				       OUTCOME_ABORTED, &none);
	}
	session_release_legs(session);
	for (size_t i = 0; i < session->rcpts.n; i++) {
		free(session->rcpts.at[i].address);
		free(session->rcpts.at[i].parameters);
		reply_drop(&session->rcpts.at[i].reply);
	}
	session->rcpts.n = 0;
	session->routing = ROUTE_NOTHING;
	session_forget(&session->sender);
	session_forget(&session->parameter);
	session_forget(&session->dsn);
	header_scan_drop(&session->scan);
	session->scan = (struct header_scan){ 0 };
	session->decoder = (struct body_decoder){ 0 };
	buffer_drop(&session->head);
	reply_drop(&session->doom);
	digest_free(session->digest);
	session->digest = NULL;
	session->head_done = session->dot = session->header_wait = session->mail_refused = false;
	session->mail = (struct command){ 0 };
	if (session->state >= SESSION_MAIL && session->state <= SESSION_VERDICT)
		session->state = SESSION_READY;
}
