/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before any mail: banner, EHLO, STARTTLS (RFC 3207), AUTH PLAIN and LOGIN (RFC 4954). What is offered is
 * our own list; where the upstream is there already, less what it does not have.
 */
#include "smtp/session_parts.h"

#include "base/mem.h"
#include "smtp/base64.h"

#include <string.h>

enum { CREDENTIALS_MAX = 1024 };

/* The upstream that outlives transactions, if it is up. */
static const struct back *standing_back(const struct session *session)
{
	return session->standing && session->legs.n > 0 ? session->legs.at[0].back : NULL;
}

void session_greet(struct session *session)
{
	const struct back *back = standing_back(session);
	struct reply reply = { 0 };

	session->state = SESSION_GREETED;
	session->since = session->now;
	if (back && session->kind->front == FRONT_INTERCEPT)
		reply = reply_copy(&back->greeting);
	else
		reply = reply_make(220, "%s %s outbind", session->kind->hostname,
				   session->is_lmtp ? "LMTP" : "ESMTP");
	session_say_reply(session, &reply);
}

void session_forget(char **text)
{
	free(*text);
	*text = NULL;
}

void session_forget_hello(struct session *session)
{
	session_forget(&session->helo);
	session_forget(&session->user);
	session_forget(&session->auth_name);
	if (session->password)
		explicit_bzero(session->password, strlen(session->password));
	session_forget(&session->password);
}

static bool may_starttls(const struct session *session)
{
	const struct session_kind *kind = session->kind;
	const struct back *back = standing_back(session);

	if (session->is_tls)
		return false;
	if (kind->front == FRONT_INTERCEPT && kind->intercept_tls == INTERCEPT_BLIND)
		return back && !back->is_tls && back->caps.has & CAP_STARTTLS;
	if (kind->front == FRONT_INTERCEPT)
		return kind->intercept_tls == INTERCEPT_TERMINATE && (!back || back->is_tls);
	return kind->tls == FRONT_TLS_OFFERED || kind->tls == FRONT_TLS_REQUIRED;
}

static bool may_auth(const struct session *session)
{
	return session->kind->auth && !session->user &&
	       (session->is_tls || session->kind->auth_plain_text);
}

static struct caps offered(struct session *session)
{
	const struct back *back = standing_back(session);
	struct caps caps = { .has = CAP_PIPELINING | CAP_8BITMIME | CAP_SMTPUTF8 | CAP_ENHANCED |
				    CAP_SIZE,
			     .size = session->kind->size_max };

	if (back) {
		unsigned lacks = ~back->caps.has & (CAP_8BITMIME | CAP_SMTPUTF8);

		if (session->kind->ignore_8bit)
			lacks &= ~(unsigned)CAP_8BITMIME;
		caps.has = (caps.has & ~lacks) | (back->caps.has & CAP_DSN);
		if (back->caps.size > 0 && back->caps.size < caps.size)
			caps.size = back->caps.size;
	}
	session->dsn_offered = caps.has & CAP_DSN;
	if (may_starttls(session))
		caps.has |= CAP_STARTTLS;
	if (may_auth(session))
		caps.has |= CAP_AUTH_PLAIN | CAP_AUTH_LOGIN;
	if (session->kind->front == FRONT_SMTP && session->kind->point >= POINT_RCPT)
		caps.has |= CAP_LIMITS;
	if (session->kind->point == POINT_HEADER)
		caps.rcpt_max = 1;
	return caps;
}

/* The answer to EHLO, whose lines caps_print() makes, or to HELO. */
void session_hello_reply(struct session *session)
{
	struct reply reply = reply_make(250, "%s", session->kind->hostname);
	AUTO(buffer_drop) struct buffer lines = { 0 };
	struct caps caps = offered(session);
	const char *at;

	if (session->said_ehlo)
		caps_print(&caps, &lines);
	buffer_put(&lines, "", 1);
	at = (const char *)buffer_bytes(&lines);
	for (const char *end; (end = strstr(at, "\r\n")); at = end + 2) {
		buffer_put(&reply.text, "\n", 1);
		buffer_put(&reply.text, at + 4, (size_t)(end - at) - 4);
	}
	if (!session_fill(session, SLOT_HELLO, 0, &reply))
		session_say_reply(session, &reply);
	reply_drop(&reply);
	session->state = SESSION_READY;
}

/* Another name than before, where the name decides: what was opened for that one is not for this. */
static void forget_opened(struct session *session, struct text name)
{
	if (session->kind->point != POINT_HELLO || !session->standing ||
	    (session->helo && text_is(name, session->helo)))
		return;
	session->standing = false;
	session_release_legs(session);
}

void session_hello(struct session *session, const struct command *command)
{
	session_end_transaction(session);
	forget_opened(session, command->argument);
	session_forget(&session->helo);
	session->helo = mem_text(command->argument.at, command->argument.len);
	session->said_ehlo = command->verb != VERB_HELO;
	if (session->kind->point == POINT_HELLO && !session->standing) {
		session_wait(session, SLOT_HELLO, 0);
		session_ask_route(session, ROUTE_HELLO, 0);
		return;
	}
	session_hello_reply(session);
}

void session_starttls(struct session *session)
{
	if (!may_starttls(session)) {
		session->errors++;
		session_say(session, session->is_tls ? 503 : 502, session->is_tls
			? "5.5.1 it is encrypted already" : "5.5.1 STARTTLS is not offered");
		return;
	}
	if (session->kind->front == FRONT_INTERCEPT &&
	    session->kind->intercept_tls == INTERCEPT_BLIND) {
		session_wait(session, SLOT_RAW, 0);
		back_command(session->legs.at[0].back, BACK_RAW, "STARTTLS", session->now);
		return;
	}
	session_say(session, 220, "2.0.0 go ahead");
	session_flush_slots(session);
	session->state = SESSION_HANDSHAKE;
	session_ask(session, ASK_TLS, -1);
}

void session_tls_done(struct session *session, bool good, uint64_t now)
{
	session->now = session->since = now;
	if (session->state != SESSION_HANDSHAKE)
		return;
	if (!good) {
		session_close(session);
		return;
	}
	session->is_tls = true;			/* all that was said before counts no more */
	session_forget_hello(session);
	line_reader_drop(&session->lines);
	session->lines = (struct line_reader){ .max = SESSION_LINE_MAX };
	session->state = SESSION_GREETED;
	session_pump(session);
}

static void auth_failed(struct session *session, int code, const char *text)
{
	session->state = SESSION_READY;
	session->errors++;
	session_forget(&session->auth_name);
	session_say(session, code, text);
	if (++session->auth_tries >= SESSION_AUTH_TRIES) {
		session_say(session, 421, "4.7.0 too many tries");
		session_close(session);
	}
}

static void ask_auth(struct session *session)
{
	session->state = SESSION_AUTH;
	session_ask(session, ASK_AUTH, -1);
}

/* authorisation NUL name NUL password: RFC 4616. */
static void take_plain(struct session *session, const char *text, size_t len)
{
	const char *name = memchr(text, '\0', len), *password;

	password = name ? memchr(name + 1, '\0', len - (size_t)(name + 1 - text)) : NULL;
	if (!password || password == name + 1 ||
	    memchr(password + 1, '\0', len - (size_t)(password + 1 - text)) ||
	    (name > text && strcmp(text, name + 1) != 0)) {
		auth_failed(session, 501, "5.5.2 not credentials");
		return;
	}
	session->auth_name = mem_text(name + 1, (size_t)(password - name - 1));
	session->password = mem_text(password + 1, len - (size_t)(password + 1 - text));
	ask_auth(session);
}

static void take_login(struct session *session, const char *text, size_t len)
{
	if (len == 0 || memchr(text, '\0', len)) {
		auth_failed(session, 501, "5.5.2 not credentials");
	} else if (!session->auth_name) {
		session->auth_name = mem_text(text, len);
		session_say(session, 334, "UGFzc3dvcmQ6");	/* "Password:" */
	} else {
		session->password = mem_text(text, len);
		ask_auth(session);
	}
}

void session_auth_line(struct session *session, struct text line)
{
	uint8_t decoded[CREDENTIALS_MAX + 1];
	ssize_t len;

	if (line.len == 1 && line.at[0] == '*') {
		auth_failed(session, 501, "5.7.0 given up");
		return;
	}
	len = base64_decode(line, decoded, CREDENTIALS_MAX);
	if (len < 0) {
		auth_failed(session, 501, "5.5.2 not base64");
		return;
	}
	decoded[len] = '\0';
	if (session->auth_login)
		take_login(session, (const char *)decoded, (size_t)len);
	else
		take_plain(session, (const char *)decoded, (size_t)len);
	explicit_bzero(decoded, sizeof decoded);
}

void session_auth(struct session *session, const struct command *command)
{
	bool plain =
		command->argument.len == 5 && strncasecmp(command->argument.at, "PLAIN", 5) == 0;
	bool login =
		command->argument.len == 5 && strncasecmp(command->argument.at, "LOGIN", 5) == 0;
	struct text initial = command->initial;

	if (session->user || !session->kind->auth) {
		session->errors++;
		session_say(session, 503, session->user ? "5.5.1 you are known already"
							: "5.5.1 AUTH is not offered");
	} else if (!may_auth(session)) {
		session->errors++;
		session_say(session, 538, "5.7.11 only encrypted");
	} else if (!plain && !login) {
		session->errors++;
		session_say(session, 504, "5.5.4 PLAIN and LOGIN are known");
	} else {
		session->state = SESSION_AUTH;
		session->auth_login = login;
		if (initial.len == 1 && initial.at[0] == '=')
			initial.len = 0;
		if (command->initial.len > 0)
			session_auth_line(session, initial);
		else
			session_say(session, 334, login ? "VXNlcm5hbWU6" : "");	/* "Username:" */
	}
}

void session_authenticated(struct session *session, int verdict, uint64_t now)
{
	session->now = session->since = now;
	if (!session->password)
		return;
	explicit_bzero(session->password, strlen(session->password));
	session_forget(&session->password);
	if (session->state != SESSION_AUTH)
		return;
	if (verdict == 0) {
		session->user = session->auth_name;
		session->auth_name = NULL;
		session->state = SESSION_READY;
		session_say(session, 235, "2.7.0 welcome");
	} else if (verdict == -EACCES) {
		auth_failed(session, 535, "5.7.8 wrong name or password");
	} else {
		auth_failed(session, 454, "4.7.0 cannot be checked now, come again");
	}
	session_pump(session);
}
