/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Postfix's socketmap client: "NAME KEY" as a netstring, and a netstring "OK value", "NOTFOUND ",
 * "TEMP reason", "TIMEOUT reason" or "PERM reason" (socketmap_table(5)). Requests are pipelined
 * on one connection; whatever goes wrong with it is a temporary answer to all of them, and the
 * next request makes a new one. What waits for an answer was put on the connection that there is, so
 * no answer can be taken for that of another request.
 */
#include "relay/socketmap.h"

#include "base/mem.h"
#include "base/sockaddr.h"
#include "relay/pending.h"
#include "smtp/buffer.h"

#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct socketmap_query {
	struct pending_item item;		/* the first member */
	socketmap_done *done;			/* NULL: cancelled */
	void *context;
};

struct socketmap {
	struct ev_loop *loop;
	struct relay_endpoint at;
	char *name, *path;
	struct fd fd;
	ev_io read, write;
	struct buffer in, out;
	struct pending pending;
};

static void answer(struct socketmap_query *query, enum socketmap_result result, const char *text)
{
	if (query->done)
		query->done(query->context, result, text);
	free(query);
}

static void fail(struct pending_item *item)
{
	answer((struct socketmap_query *)item, SOCKETMAP_TEMPORARY, item->why);
}

static void disconnect(struct socketmap *map)
{
	ev_io_stop(map->loop, &map->read);
	ev_io_stop(map->loop, &map->write);
	fd_drop(&map->fd);
	buffer_drop(&map->in);
	buffer_drop(&map->out);
}

static void lose(struct socketmap *map, const char *why)
{
	disconnect(map);
	pending_lose(&map->pending, -EAGAIN, why);
}

/* "OK value" and its kin; @reply is NUL-terminated. */
static enum socketmap_result read_reply(char *reply, const char **ret_text)
{
	char *space = strchr(reply, ' ');

	*ret_text = space ? space + 1 : "";
	if (space)
		*space = '\0';
	if (strcmp(reply, "OK") == 0)
		return SOCKETMAP_OK;
	if (strcmp(reply, "NOTFOUND") == 0)
		return SOCKETMAP_NOTFOUND;
	if (strcmp(reply, "PERM") == 0)
		return SOCKETMAP_PERMANENT;
	return SOCKETMAP_TEMPORARY;
}

/* The length of a whole netstring at the start of @in and where its text begins; 0: more is
 * needed; -EBADMSG. */
static ssize_t whole_netstring(const struct buffer *in, size_t *ret_begin)
{
	const uint8_t *at = buffer_bytes(in);
	size_t len = buffer_len(in), value = 0, i = 0;

	for (; i < len && at[i] >= '0' && at[i] <= '9'; i++) {
		value = value * 10 + (size_t)(at[i] - '0');
		if (value > SOCKETMAP_VALUE_MAX || (i == 1 && at[0] == '0'))
			return -EBADMSG;
	}
	if (i == len)
		return 0;
	if (i == 0 || at[i] != ':')
		return -EBADMSG;
	*ret_begin = i + 1;
	if (len < i + 1 + value + 1)
		return 0;
	if (at[i + 1 + value] != ',')
		return -EBADMSG;
	return (ssize_t)(i + 1 + value + 1);
}

static void take_replies(struct socketmap *map)
{
	size_t begin;
	ssize_t len;

	while ((len = whole_netstring(&map->in, &begin)) > 0) {
		enum socketmap_result result;
		const char *text;
		char *reply;

		if (map->pending.n == 0)
			break;
		reply = mem_text((const char *)buffer_bytes(&map->in) + begin,
				 (size_t)len - begin - 1);
		buffer_take(&map->in, (size_t)len);
		result = read_reply(reply, &text);
		answer((struct socketmap_query *)pending_take(&map->pending), result, text);
		free(reply);
	}
	if (len != 0)
		lose(map, "the table answered what is no answer");
}

static void on_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct socketmap *map = io->data;
	uint8_t bytes[4096];
	ssize_t n = recv(map->fd.n, bytes, sizeof bytes, MSG_DONTWAIT);

	(void)loop;
	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose(map, "the table closed the connection");
		return;
	}
	buffer_put(&map->in, bytes, (size_t)n);
	take_replies(map);
}

static void flush(struct socketmap *map)
{
	while (buffer_len(&map->out) > 0) {
		ssize_t n = send(map->fd.n, buffer_bytes(&map->out), buffer_len(&map->out),
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
			ev_io_start(map->loop, &map->write);
			return;
		}
		if (n < 0) {
			ev_feed_event(map->loop, &map->read, EV_READ);	/* recv will say */
			break;
		}
		buffer_take(&map->out, (size_t)n);
	}
	ev_io_stop(map->loop, &map->write);
}

static void on_write(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	flush(io->data);
}

static void on_late(void *context)
{
	lose(context, "the table does not answer in time");
}

static void try_connect(struct socketmap *map)
{
	struct sockaddr_storage address;
	socklen_t size = map->path ? sockaddr_of_path(map->path, &address)
				   : sockaddr_of_ip(&map->at.ip, map->at.port, &address);

	map->fd.n = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (map->fd.n < 0)
		return;
	if (connect(map->fd.n, (struct sockaddr *)&address, size) < 0 && errno != EINPROGRESS) {
		fd_drop(&map->fd);
		return;
	}
	ev_io_set(&map->read, map->fd.n, EV_READ);
	ev_io_set(&map->write, map->fd.n, EV_WRITE);
	ev_io_start(map->loop, &map->read);
}

struct socketmap *socketmap_new(struct ev_loop *loop, const struct relay_map *conf)
{
	struct socketmap *map = mem_zero(1, sizeof *map);

	map->loop = loop;
	map->at = conf->at;
	map->path = conf->at.path ? mem_copy(conf->at.path) : NULL;
	map->name = mem_copy(conf->name);
	map->fd = FD_NONE;
	ev_io_init(&map->read, on_read, -1, EV_READ);
	ev_io_init(&map->write, on_write, -1, EV_WRITE);
	map->read.data = map->write.data = map;
	pending_init(&map->pending, loop, SOCKETMAP_WAIT_MS / 1000.0, on_late, fail, map);
	return map;
}

void socketmap_free(struct socketmap *map)
{
	if (!map)
		return;
	disconnect(map);
	pending_end(&map->pending, -EAGAIN, "the table is no longer asked");
	free(map->name);
	free(map->path);
	free(map);
}

struct socketmap_query *socketmap_ask(struct socketmap *map, const char *key, socketmap_done *done,
				      void *context)
{
	struct socketmap_query *query = mem_zero(1, sizeof *query);

	query->done = done;
	query->context = context;
	if (map->fd.n < 0)
		try_connect(map);
	if (map->fd.n < 0) {
		pending_refuse(&map->pending, &query->item, -EAGAIN, "the table cannot be reached");
	} else if (map->pending.n >= SOCKETMAP_QUEUE_MAX) {
		pending_refuse(&map->pending, &query->item, -EAGAIN,
			       "too much waits for the table already");
	} else {
		pending_add(&map->pending, &query->item);
		buffer_print(&map->out, "%zu:%s %s,", strlen(map->name) + 1 + strlen(key),
			     map->name, key);
		flush(map);
	}
	return query;
}

void socketmap_cancel(struct socketmap_query *query)
{
	query->done = NULL;
}
