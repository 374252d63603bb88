/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Postfix's socketmap client: "NAME KEY" as a netstring, and a netstring "OK value", "NOTFOUND ",
 * "TEMP reason", "TIMEOUT reason" or "PERM reason" (socketmap_table(5)). Requests are pipelined
 * on one connection; whatever goes wrong with it is a temporary answer to all of them, and the
 * next request makes a new one.
 */
#include "relay/socketmap.h"

#include "base/mem.h"
#include "base/sockaddr.h"
#include "smtp/buffer.h"

#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct socketmap_query {
	struct socketmap *map;
	struct socketmap_query *next;
	socketmap_done *done;			/* NULL: cancelled */
	void *context;
	ev_tstamp asked;
};

struct socketmap {
	struct ev_loop *loop;
	struct relay_endpoint at;
	char *name, *path;
	struct fd fd;
	ev_io read, write;
	ev_timer timer, later;
	struct buffer in, out;
	struct socketmap_query *first, **last;
	size_t n;
};

static void answer(struct socketmap_query *query, enum socketmap_result result, const char *text)
{
	if (query->done)
		query->done(query->context, result, text);
	free(query);
}

static void disconnect(struct socketmap *map)
{
	ev_io_stop(map->loop, &map->read);
	ev_io_stop(map->loop, &map->write);
	ev_timer_stop(map->loop, &map->timer);
	fd_drop(&map->fd);
	buffer_drop(&map->in);
	buffer_drop(&map->out);
}

static void fail_all(struct socketmap *map, const char *why)
{
	struct socketmap_query *query = map->first, *next;

	disconnect(map);
	map->first = NULL;
	map->last = &map->first;
	map->n = 0;
	for (; query; query = next) {
		next = query->next;
		answer(query, SOCKETMAP_TEMPORARY, why);
	}
}

static void arm(struct socketmap *map)
{
	if (!map->first) {
		ev_timer_stop(map->loop, &map->timer);
	} else if (!ev_is_active(&map->timer)) {
		ev_timer_set(&map->timer, SOCKETMAP_WAIT_MS / 1000.0, 0);
		ev_timer_start(map->loop, &map->timer);
	}
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
		struct socketmap_query *query = map->first;
		enum socketmap_result result;
		const char *text;
		char *reply;

		if (!query)
			break;
		reply = mem_text((const char *)buffer_bytes(&map->in) + begin,
				 (size_t)len - begin - 1);
		buffer_take(&map->in, (size_t)len);
		map->first = query->next;
		if (!map->first)
			map->last = &map->first;
		map->n--;
		result = read_reply(reply, &text);
		answer(query, result, text);
		free(reply);
	}
	if (len < 0 || (len > 0 && !map->first))
		fail_all(map, "the table answered what is no answer");
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
		fail_all(map, "the table closed the connection");
		return;
	}
	buffer_put(&map->in, bytes, (size_t)n);
	take_replies(map);
	arm(map);
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

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct socketmap *map = timer->data;
	ev_tstamp left;

	(void)revents;
	if (!map->first)
		return;
	left = map->first->asked + SOCKETMAP_WAIT_MS / 1000.0 - ev_now(loop);
	if (left <= 0.001) {
		fail_all(map, "the table does not answer in time");
		return;
	}
	ev_timer_set(timer, left, 0);
	ev_timer_start(loop, timer);
}

static void on_later(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct socketmap *map = timer->data;

	(void)loop;
	(void)revents;
	if (map->fd.n < 0)
		fail_all(map, "the table cannot be reached");
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
	map->path = conf->at.path ? mem_text(conf->at.path, strlen(conf->at.path)) : NULL;
	map->name = mem_text(conf->name, strlen(conf->name));
	map->fd = FD_NONE;
	map->last = &map->first;
	ev_io_init(&map->read, on_read, -1, EV_READ);
	ev_io_init(&map->write, on_write, -1, EV_WRITE);
	ev_timer_init(&map->timer, on_timer, 0, 0);
	ev_timer_init(&map->later, on_later, 0, 0);
	map->read.data = map->write.data = map->timer.data = map->later.data = map;
	return map;
}

void socketmap_free(struct socketmap *map)
{
	if (!map)
		return;
	for (struct socketmap_query *query = map->first; query; query = query->next)
		query->done = NULL;
	fail_all(map, "");
	ev_timer_stop(map->loop, &map->later);
	free(map->name);
	free(map->path);
	free(map);
}

struct socketmap_query *socketmap_ask(struct socketmap *map, const char *key, socketmap_done *done,
				      void *context)
{
	struct socketmap_query *query = mem_zero(1, sizeof *query);

	*query = (struct socketmap_query){ .map = map, .done = done, .context = context,
					   .asked = ev_now(map->loop) };
	*map->last = query;
	map->last = &query->next;
	map->n++;
	if (map->fd.n < 0 && map->n <= SOCKETMAP_QUEUE_MAX)
		try_connect(map);
	if (map->fd.n < 0) {
		ev_timer_set(&map->later, 0.001, 0);
		ev_timer_start(map->loop, &map->later);
		return query;
	}
	buffer_print(&map->out, "%zu:%s %s,", strlen(map->name) + 1 + strlen(key), map->name, key);
	flush(map);
	arm(map);
	return query;
}

void socketmap_cancel(struct socketmap_query *query)
{
	query->done = NULL;
}
