/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tag socket, asynchronously: proto/tag.h. Requests are answered in order, so what is open is
 * a queue. A lost connection, or an answer that takes too long, fails all of them: what was asked
 * of an agent that went is not known to hold for the next one. Then a new connection is tried
 * with each request, ten times a second at most. Nobody is told of it from within tagging_ask(): a
 * failure is found there as well, when sending, and who asks is not ready for an answer yet.
 */
#include "relay/tagging.h"

#include "base/mem.h"
#include "base/sockaddr.h"
#include "proto/pass_fd.h"
#include "proto/tag.h"
#include "relay/pending.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct tagging_query {
	struct pending_item item;		/* the first member */
	char request[TAG_REQUEST_MAX + 1];
	int fd;					/* the caller's; -1: none */
	tagging_done *done;			/* NULL: cancelled */
	void *context;
};

struct tagging {
	struct ev_loop *loop;
	struct fd fd;
	ev_io read, write;
	struct pending pending;			/* empty while there is no connection */
	struct pending_item *unsent;		/* the first of them that the socket has no room for */
	void (*changed)(void *context);
	void *context;
	ev_tstamp tried;
	char path[PATH_MAX];
};

static void answer(struct tagging_query *query, const struct tagging_answer *answer)
{
	if (query->done)
		query->done(query->context, answer);
	free(query);
}

static void fail(struct pending_item *item)
{
	struct tagging_answer no = { .error = item->error, .why = item->why };

	answer((struct tagging_query *)item, &no);
}

static void disconnect(struct tagging *tagging, int error, const char *why)
{
	bool was = tagging->fd.n >= 0;

	ev_io_stop(tagging->loop, &tagging->read);
	ev_io_stop(tagging->loop, &tagging->write);
	fd_drop(&tagging->fd);
	tagging->unsent = NULL;
	pending_lose(&tagging->pending, error, why);
	if (was)
		tagging->changed(tagging->context);
}

static int send_one(struct tagging *tagging, struct tagging_query *query)
{
	return pass_fd_send(tagging->fd.n, query->request, strlen(query->request), query->fd,
			    MSG_DONTWAIT);
}

static void add(struct tagging *tagging, struct tagging_query *query)
{
	pending_add(&tagging->pending, &query->item);
	if (!tagging->unsent)
		tagging->unsent = &query->item;
}

static void send_all(struct tagging *tagging)
{
	for (; tagging->unsent; tagging->unsent = tagging->unsent->next) {
		int r = send_one(tagging, (struct tagging_query *)tagging->unsent);

		if (r == -EAGAIN) {
			ev_io_start(tagging->loop, &tagging->write);
			return;
		}
		if (r < 0) {
			disconnect(tagging, -EHOSTDOWN, "the outbind agent does not answer");
			return;
		}
	}
	ev_io_stop(tagging->loop, &tagging->write);
}

static void take_family(struct tagging_answer *into, const struct ip *ip, bool routed)
{
	enum family family = ip_family(ip);

	into->usable[family] = true;
	if (routed)
		into->routed[family] = true;
	else if (into->n_addresses < TAGGING_ADDRESSES_MAX)
		into->addresses[into->n_addresses++] = *ip;
}

/* "no4=REASON", with blanks written as '+'. */
static const char *take_reason(char *value)
{
	for (char *at = value; *at; at++)
		if (*at == '+')
			*at = ' ';
	return value;
}

static void take_field(struct tagging_answer *into, char *key, char *value)
{
	struct prefix prefix;
	struct ip ip;

	if (strcmp(key, "mark") == 0)
		into->mark = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(key, "binding") == 0)
		into->binding = value;
	else if (strcmp(key, "ehlo") == 0)
		into->ehlo[FAMILY_IPV4] = value;
	else if (strcmp(key, "ehlo6") == 0)
		into->ehlo[FAMILY_IPV6] = value;
	else if (strcmp(key, "address") == 0 && ip_parse(value, &ip) == 0)
		take_family(into, &ip, false);
	else if (strcmp(key, "routed") == 0 && prefix_parse(value, &prefix) == 0)
		take_family(into, &prefix.ip, true);
	else if (strcmp(key, "no4") == 0)
		into->no[FAMILY_IPV4] = take_reason(value);
	else if (strcmp(key, "no6") == 0)
		into->no[FAMILY_IPV6] = take_reason(value);
}

/* "OK key=value ..." or "ERROR code text"; cuts @reply up. */
static void read_answer(char *reply, struct tagging_answer *ret)
{
	static const struct { const char *code; int error; } codes[] = {
		{ TAG_UNKNOWN, -ENOENT },      { TAG_DENIED, -EPERM },
		{ TAG_UNUSABLE, -ENETUNREACH }, { TAG_BAD_SOCKET, -EINVAL },
	};
	char *rest, *word;

	*ret = (struct tagging_answer){ .error = -EPROTO,
					.why = "the agent answered something else" };
	if (strncmp(reply, TAG_REPLY_OK, sizeof TAG_REPLY_OK - 1) == 0) {
		ret->error = 0;
		rest = reply + sizeof TAG_REPLY_OK - 1;
		while ((word = strsep(&rest, " "))) {
			char *value = strchr(word, '=');

			if (!value)
				continue;
			*value = '\0';
			take_field(ret, word, value + 1);
		}
		if (!ret->ehlo[FAMILY_IPV6])
			ret->ehlo[FAMILY_IPV6] = ret->ehlo[FAMILY_IPV4];
		if (!ret->binding)
			ret->error = -EPROTO;
	} else if (strncmp(reply, TAG_REPLY_ERROR, sizeof TAG_REPLY_ERROR - 1) == 0) {
		rest = reply + sizeof TAG_REPLY_ERROR - 1;
		word = strsep(&rest, " ");
		for (size_t i = 0; word && i < ARRAY_LEN(codes); i++)
			if (strcmp(word, codes[i].code) == 0)
				ret->error = codes[i].error;
		ret->why = rest ? rest : "refused by the agent";
	}
}

static void on_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct tagging *tagging = io->data;

	(void)loop;
	(void)revents;
	for (int i = 0; i < 64 && tagging->fd.n >= 0; i++) {
		char reply[TAG_REPLY_MAX + 1];
		ssize_t n = recv(tagging->fd.n, reply, sizeof reply - 1, MSG_DONTWAIT);
		struct tagging_answer read;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			disconnect(tagging, -EHOSTDOWN, "the outbind agent is not there");
			return;
		}
		reply[n] = '\0';
		if (strcmp(reply, TAG_CHANGED) == 0) {
			tagging->changed(tagging->context);
			continue;
		}
		if (!tagging->pending.first || tagging->pending.first == tagging->unsent) {
			disconnect(tagging, -EPROTO, "the agent answered what was not asked");
			return;
		}
		read_answer(reply, &read);
		answer((struct tagging_query *)pending_take(&tagging->pending), &read);
	}
}

static void on_write(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	send_all(io->data);
}

static void on_late(void *context)
{
	disconnect(context, -ETIMEDOUT, "the outbind agent does not answer in time");
}

static struct tagging_query *query_new(const char *request, int fd, tagging_done *done,
				       void *context)
{
	struct tagging_query *query = mem_zero(1, sizeof *query);

	query->fd = fd;
	query->done = done;
	query->context = context;
	(void)snprintf(query->request, sizeof query->request, "%s", request);
	return query;
}

static void try_connect(struct tagging *tagging)
{
	struct sockaddr_storage address;
	socklen_t size = sockaddr_of_path(tagging->path, &address);

	if (tagging->tried > 0 && ev_now(tagging->loop) - tagging->tried < 0.1)
		return;
	tagging->tried = ev_now(tagging->loop);
	tagging->fd.n = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (tagging->fd.n < 0)
		return;
	if (size == 0 || connect(tagging->fd.n, (struct sockaddr *)&address, size) < 0) {
		fd_drop(&tagging->fd);
		return;
	}
	ev_io_set(&tagging->read, tagging->fd.n, EV_READ);
	ev_io_set(&tagging->write, tagging->fd.n, EV_WRITE);
	ev_io_start(tagging->loop, &tagging->read);
	/* First of all, so that no change is missed that an answer is older than. */
	add(tagging, query_new(TAG_WATCH, -1, NULL, NULL));
	tagging->changed(tagging->context);
}

struct tagging *tagging_new(struct ev_loop *loop, const char *path, void (*changed)(void *context),
			    void *context)
{
	struct tagging *tagging = mem_zero(1, sizeof *tagging);

	tagging->loop = loop;
	tagging->fd = FD_NONE;
	tagging->changed = changed;
	tagging->context = context;
	(void)snprintf(tagging->path, sizeof tagging->path, "%s", path);
	ev_io_init(&tagging->read, on_read, -1, EV_READ);
	ev_io_init(&tagging->write, on_write, -1, EV_WRITE);
	tagging->read.data = tagging->write.data = tagging;
	pending_init(&tagging->pending, loop, TAGGING_WAIT_MS / 1000.0, on_late, fail, tagging);
	return tagging;
}

void tagging_free(struct tagging *tagging)
{
	if (!tagging)
		return;
	disconnect(tagging, -EHOSTDOWN, "the outbind agent is no longer asked");
	pending_end(&tagging->pending, -EHOSTDOWN, "the outbind agent is no longer asked");
	free(tagging);
}

bool tagging_connected(const struct tagging *tagging)
{
	return tagging->fd.n >= 0;
}

void tagging_try(struct tagging *tagging)
{
	if (tagging->fd.n < 0)
		try_connect(tagging);
	if (tagging->fd.n >= 0)
		send_all(tagging);
}

struct tagging_query *tagging_ask(struct tagging *tagging, uint32_t hash, const char *whom, int fd,
				  tagging_done *done, void *context)
{
	char request[TAG_REQUEST_MAX + 1];
	struct tagging_query *query;

	(void)snprintf(request, sizeof request, "%s%u %s",
		       fd >= 0 ? TAG_REQUEST2_PREFIX : TAG_ASK_PREFIX, hash, whom);
	query = query_new(request, fd, done, context);
	if (tagging->fd.n < 0)
		try_connect(tagging);
	if (tagging->fd.n < 0) {
		pending_refuse(&tagging->pending, &query->item, -EHOSTDOWN,
			       "the outbind agent is not there");
	} else {
		add(tagging, query);
		send_all(tagging);
	}
	return query;
}

void tagging_cancel(struct tagging_query *query)
{
	query->done = NULL;
	query->fd = -1;
}
