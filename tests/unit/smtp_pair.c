/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See smtp_pair.h. */
#include "smtp_pair.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct route { char name[64]; };		/* the session knows routes by pointer only */

struct pair_server {
	struct pair *pair;
	const struct route *route;
	struct back back;
	struct line_reader lines;
	struct body_decoder decoder;
	struct buffer in, reply, text, envelope;
	bool in_text, has_rcpt, dead, stalls, body_said, used;
};

static struct route routes[16];

static const struct route *route_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (!routes[i].name[0])
			snprintf(routes[i].name, sizeof routes[i].name, "%s", name);
		if (strcmp(routes[i].name, name) == 0)
			return &routes[i];
	}
	return &routes[ARRAY_LEN(routes) - 1];	/* a fuzzer's: any will do */
}

/* The action for a verb now, into @out; false: as usual. */
static bool find_action(struct pair_server *server, const char *verb, char *out, size_t room)
{
	const char *at = server->pair->behaviour;

	for (unsigned i = 0; at && *at; i++) {
		const char *end = strchrnul(at, ';'), *colon = memchr(at, ':', (size_t)(end - at));
		const char *slash = memchr(at, '/', (size_t)(end - at));
		const char *name = slash && slash < colon ? slash + 1 : at;
		size_t route = strlen(server->route->name);
		bool here = name == at || ((size_t)(slash - at) == route &&
					   memcmp(at, server->route->name, route) == 0);
		bool always = end[-1] == '*';

		if (here && (size_t)(colon - name) == strlen(verb) &&
		    memcmp(name, verb, strlen(verb)) == 0 && !(server->pair->done & 1u << i)) {
			if (!always)
				server->pair->done |= 1u << i;
			snprintf(out, room, "%.*s", (int)(end - colon - 1 - always), colon + 1);
			return true;
		}
		at = *end ? end + 1 : end;
	}
	return false;
}

static void take_message(struct pair_server *server)
{
	struct buffer *taken = &server->pair->taken;

	buffer_put(taken, buffer_bytes(&server->envelope), buffer_len(&server->envelope));
	buffer_text(taken, ":");
	for (size_t i = 0; i < buffer_len(&server->text); i++) {
		char c = (char)buffer_bytes(&server->text)[i];

		if (c != '\r')
			buffer_print(taken, "%c", c == '\n' ? '|' : c);
	}
	buffer_text(taken, ";");
}

static void forget(struct pair_server *server)
{
	buffer_take(&server->envelope, buffer_len(&server->envelope));
	buffer_take(&server->text, buffer_len(&server->text));
	server->has_rcpt = false;
}

/* Answer as told, else @usual. Returns the code, 0 for none. */
static int answer(struct pair_server *server, const char *verb, const char *usual)
{
	char action[200];

	if (!find_action(server, verb, action, sizeof action)) {
		buffer_print(&server->reply, "%s\r\n", usual);
		return atoi(usual);
	}
	if (strcmp(action, "taken-eof") == 0)
		take_message(server);
	if (strstr(action, "eof")) {
		server->dead = true;
		return 0;
	}
	if (strcmp(action, "stall") == 0) {
		server->stalls = true;
		return 0;
	}
	buffer_print(&server->reply, "%s\r\n", action);
	return atoi(action);
}

static void say_caps(struct pair_server *server)
{
	char caps[200] = "PIPELINING,8BITMIME,SMTPUTF8", *rest = caps, *word;

	(void)find_action(server, "CAPS", caps, sizeof caps);
	buffer_text(&server->reply, "250-there.example\r\n");
	while ((word = strsep(&rest, ",")))
		buffer_print(&server->reply, "250-%s\r\n", word);
	buffer_text(&server->reply, "250 HELP\r\n");
}

/* The address between < and > of a command. */
static void put_address(struct buffer *out, struct text line)
{
	const char *from = memchr(line.at, '<', line.len), *to = memchr(line.at, '>', line.len);

	buffer_put(out, from + 1, (size_t)(to - from) - 1);
}

static void take_command(struct pair_server *server, struct text line)
{
	if (line.len >= 4 && strncasecmp(line.at, "EHLO", 4) == 0) {
		if (answer(server, "EHLO", "250") == 250) {
			buffer_take(&server->reply, buffer_len(&server->reply));
			say_caps(server);
		}
	} else if (strncmp(line.at, "MAIL", 4) == 0) {
		forget(server);
		put_address(&server->envelope, line);
		buffer_text(&server->envelope, ">");
		if (answer(server, "MAIL", "250 2.1.0 ok") != 250)
			forget(server);
	} else if (strncmp(line.at, "RCPT", 4) == 0) {
		if (buffer_len(&server->envelope) == 0) {
			buffer_text(&server->reply, "503 5.5.1 MAIL first\r\n");
		} else if (answer(server, "RCPT", "250 2.1.5 ok") == 250) {
			if (server->has_rcpt)
				buffer_text(&server->envelope, ",");
			put_address(&server->envelope, line);
			server->has_rcpt = true;
		}
	} else if (strncmp(line.at, "DATA", 4) == 0) {
		if (!server->has_rcpt)
			buffer_text(&server->reply, "554 5.5.1 no recipients\r\n");
		else if (answer(server, "DATA", "354 go on") == 354)
			server->in_text = true;
	} else if (strncmp(line.at, "RSET", 4) == 0) {
		forget(server);
		answer(server, "RSET", "250 2.0.0 ok");
	} else if (strncmp(line.at, "QUIT", 4) == 0) {
		buffer_text(&server->reply, "221 bye\r\n");
	} else {
		answer(server, "OTHER", "500 5.5.1 what");
	}
}

static void take_text(struct pair_server *server, const uint8_t **at, size_t *n)
{
	enum body_event event;
	struct text piece;
	char action[100];

	while ((event = body_decode(&server->decoder, at, n, &piece)) == BODY_PIECE)
		buffer_put(&server->text, piece.at, piece.len);
	if (!server->body_said && find_action(server, "BODY", action, sizeof action)) {
		server->body_said = true;
		server->dead = strstr(action, "eof") != NULL;
		if (!server->dead)
			buffer_print(&server->reply, "%s\r\n", action);
		return;
	}
	if (event != BODY_END)
		return;
	server->in_text = false;
	server->decoder = (struct body_decoder){ 0 };
	if (answer(server, "DOT", "250 2.0.0 taken") == 250)
		take_message(server);
	forget(server);
}

/* The destination reads what it was sent. */
static void serve(struct pair_server *server)
{
	const uint8_t *at = buffer_bytes(&server->back.out);
	size_t n = buffer_len(&server->back.out), all = n;
	struct text line;

	while (n > 0 && !server->dead && !server->stalls) {
		if (server->in_text)
			take_text(server, &at, &n);
		else if (line_next(&server->lines, &at, &n, &line) != LINE_MORE)
			take_command(server, line);
	}
	buffer_take(&server->back.out, all);
}

/* What it answers arrives, in pieces of the size that the test wants. */
static bool deliver(struct pair_server *server)
{
	struct pair *pair = server->pair;
	bool any = false;

	while (buffer_len(&server->reply) > 0) {
		size_t n = buffer_len(&server->reply);
		uint8_t piece[4096];

		if (pair->upstream_cut > 0 && n > pair->upstream_cut)
			n = pair->upstream_cut;
		if (n > sizeof piece)
			n = sizeof piece;
		memcpy(piece, buffer_bytes(&server->reply), n);
		buffer_take(&server->reply, n);
		back_bytes(&server->back, piece, n, pair->now);
		any = true;
	}
	if (server->dead && !back_is_down(&server->back)) {
		back_eof(&server->back, "it closed the connection", pair->now);
		any = true;
	}
	return any;
}

static void server_free(struct pair_server *server)
{
	if (!server)
		return;
	back_drop(&server->back);
	line_reader_drop(&server->lines);
	buffer_drop(&server->reply);
	buffer_drop(&server->text);
	buffer_drop(&server->envelope);
	free(server);
}

/* Up to BACK_UP; NULL with the refusal in @ret if it does not come to that. */
static struct pair_server *dial(struct pair *pair, const struct route *route, struct reply *ret)
{
	struct pair_server *server = mem_zero(1, sizeof *server);
	struct back_news news = { .event = BACK_NOTHING };

	pair->n_dials++;
	server->pair = pair;
	server->route = route;
	server->lines.max = 4096;
	server->back.ehlo = "us.example";
	back_start(&server->back, pair->now);
	answer(server, "GREETING", "220 there.example");
	for (int i = 0; i < 20 && news.event == BACK_NOTHING; i++) {
		deliver(server);
		serve(server);
		(void)back_next(&server->back, &news);
	}
	if (news.event == BACK_UP && strncmp(route->name, "down", 4) != 0)
		return server;
	*ret = news.reply.code ? reply_copy(&news.reply) : reply_make(451, "4.4.1 no connection");
	back_news_drop(&news);
	server_free(server);
	return NULL;
}

static void do_dial(struct pair *pair, const struct ask *ask)
{
	const struct route *route = session_leg_route(pair->session, ask->leg);
	struct reply refusal = { 0 };
	struct pair_server *server = NULL;
	bool reused = false;

	if (ask->reusable && pair->idle && pair->idle->route == route) {
		server = pair->idle;
		pair->idle = NULL;
		reused = true;
	}
	if (!server)
		server = dial(pair, route, &refusal);
	if (server) {
		pair->servers[ask->leg] = server;
		session_leg_up(pair->session, ask->leg, &server->back, reused, pair->now);
	} else {
		session_leg_refused(pair->session, ask->leg, &refusal, pair->now);
		reply_drop(&refusal);
	}
}

static void do_release(struct pair *pair, const struct ask *ask)
{
	struct pair_server *server = pair->servers[ask->leg];
	struct back_news news;

	pair->servers[ask->leg] = NULL;
	if (!server)
		return;
	if (!ask->reusable || !pair->pool || pair->idle) {
		server_free(server);
		return;
	}
	for (int i = 0; i < 10 && !back_is_idle(&server->back) && !back_is_down(&server->back);
	     i++) {
		serve(server);
		deliver(server);
		while (back_next(&server->back, &news))
			back_news_drop(&news);
	}
	pair->idle = server;
}

static void do_route(struct pair *pair)
{
	struct session_facts facts;
	const char *name = "one.example";

	session_facts(pair->session, &facts);
	if (facts.header && facts.header[0])
		name = facts.header;
	else if (facts.parameter)
		name = facts.parameter;
	else if (facts.rcpt && pair->kind.point >= POINT_RCPT)
		name = strchr(facts.rcpt, '@') ? strchr(facts.rcpt, '@') + 1 : "one.example";
	else if (facts.sender && strchr(facts.sender, '@'))
		name = strchr(facts.sender, '@') + 1;
	if (strncmp(name, "no", 2) == 0) {
		struct reply refusal = reply_make(451, "4.7.1 no rule");

		session_unrouted(pair->session, &refusal, pair->now);
		reply_drop(&refusal);
	} else {
		session_routed(pair->session, route_of(name), pair->now);
	}
}

static bool do_asks(struct pair *pair)
{
	struct ask ask;
	bool any = false;

	for (session_next(pair->session, &ask); ask.kind != ASK_NOTHING;
	     session_next(pair->session, &ask)) {
		any = true;
		switch (ask.kind) {
		case ASK_ROUTE:
			do_route(pair);
			break;
		case ASK_DIAL:
			do_dial(pair, &ask);
			break;
		case ASK_RELEASE:
			do_release(pair, &ask);
			break;
		case ASK_AUTH:
			session_authenticated(pair->session, strcmp(ask.password, "secret") == 0 ? 0 : -EACCES,
					      pair->now);
			break;
		case ASK_TLS:
			pair->wants_tls = true;
			break;
		case ASK_PIPE:
			pair->pipes = true;
			break;
		case ASK_CLOSE:
			pair->closed = true;
			break;
		case ASK_RESET:
			pair->closed = pair->reset = true;
			break;
		case ASK_NOTHING:
			break;
		}
	}
	return any;
}

static void take_output(struct pair *pair)
{
	struct buffer *out = session_output(pair->session);

	buffer_put(&pair->client, buffer_bytes(out), buffer_len(out));
	buffer_take(out, buffer_len(out));
}

/* Everything that can happen now. */
static void settle(struct pair *pair)
{
	bool any = true;

	for (int i = 0; any && i < 1000; i++) {
		any = do_asks(pair);
		for (int leg = 0; leg < (int)ARRAY_LEN(pair->servers); leg++) {
			struct pair_server *server = pair->servers[leg];

			if (!server || pair->pipes)
				continue;
			serve(server);
			if (!deliver(server))
				continue;
			any = true;
			session_leg_news(pair->session, leg, pair->now);
		}
		take_output(pair);
	}
}

static bool was_delivered(void *context, const struct fingerprint *fingerprint)
{
	struct pair *pair = context;
	bool yes = pair->remembers;

	(void)fingerprint;
	pair->remembers = false;
	return yes;
}

static void remember(void *context, const struct fingerprint *fingerprint)
{
	struct pair *pair = context;

	(void)fingerprint;
	pair->n_remembered++;
	pair->remembers = true;
}

static struct text route_key(void *context, const struct route *route)
{
	(void)context;
	return (struct text){ route->name, strlen(route->name) };
}

static void record(void *context, const struct record *record)
{
	static const char *const names[] = { "delivered", "refused", "lost", "spared", "aborted", "unacked" };
	struct pair *pair = context;

	buffer_print(&pair->records, "%s %d%s;", names[record->outcome], record->code,
		     record->ack_lost ? " ack-lost" : "");
}

void pair_open(struct pair *pair)
{
	pair->host = (struct session_host){ .was_delivered = was_delivered,
					    .remember = remember,
					    .route_key = route_key,
					    .record = record,
					    .key = 7,
					    .context = pair };
	if (!pair->kind.hostname)
		pair->kind.hostname = "relay.example";
	if (pair->kind.size_max == 0)
		pair->kind.size_max = 1000;
	if (pair->now == 0)
		pair->now = 1000000;
	pair->session = session_new(&pair->kind, &pair->host, "192.0.2.1", "1", pair->now);
	settle(pair);
}

void pair_client(struct pair *pair, const char *octets, size_t n)
{
	if (pair->closed || pair->pipes || pair->wants_tls || n == 0)
		return;
	settle(pair);
	session_client(pair->session, (const uint8_t *)octets, n, pair->now);
	settle(pair);
}

void pair_kill(struct pair *pair, int leg)
{
	pair->servers[leg]->dead = true;
	settle(pair);
}

void pair_unstall(struct pair *pair, int leg, const char *reply)
{
	struct pair_server *server = pair->servers[leg];

	server->stalls = false;
	server->in_text = atoi(reply) == 354;
	buffer_print(&server->reply, "%s\r\n", reply);
	settle(pair);
}

void pair_gone(struct pair *pair, bool unread)
{
	session_client_gone(pair->session, unread, pair->now);
	settle(pair);
}

void pair_end(struct pair *pair)
{
	session_client_eof(pair->session, pair->now);
	settle(pair);
}

void pair_wait(struct pair *pair, unsigned seconds)
{
	pair->now += (uint64_t)seconds * 1000000;
	for (int leg = 0; leg < (int)ARRAY_LEN(pair->servers); leg++) {
		if (!pair->servers[leg])
			continue;
		back_tick(&pair->servers[leg]->back, pair->now);
		session_leg_news(pair->session, leg, pair->now);
	}
	session_tick(pair->session, pair->now);
	settle(pair);
}

void pair_close(struct pair *pair)
{
	session_free(pair->session);
	for (size_t i = 0; i < ARRAY_LEN(pair->servers); i++)
		server_free(pair->servers[i]);
	server_free(pair->idle);
	buffer_drop(&pair->client);
	buffer_drop(&pair->taken);
	buffer_drop(&pair->records);
}

void pair_codes(const struct pair *pair, char *out, size_t room)
{
	const char *at = (const char *)buffer_bytes(&pair->client);
	const char *end = at + buffer_len(&pair->client);
	size_t n = 0;

	out[0] = '\0';
	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));

		if (!lf)
			break;
		if (at[3] == ' ' && n + 5 < room)
			n += (size_t)snprintf(out + n, room - n, "%s%.3s", n ? " " : "", at);
		at = lf + 1;
	}
	(void)snprintf(out + n, room - n, "%s", pair->reset ? " reset" : pair->closed ? " closed" : "");
}
