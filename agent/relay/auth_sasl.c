/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dovecot's authentication protocol, version 1, as a client: a handshake of lines, then one AUTH
 * PLAIN and its OK or FAIL. One connection for each question: logging in is rare, and a state
 * that is not kept cannot be wrong.
 */
#include "relay/auth_parts.h"

#include "base/sockaddr.h"
#include "smtp/base64.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { SASL_IN_MAX = 16384 };

void auth_sasl_drop(struct auth_query *query)
{
	if (query->fd.n >= 0) {
		ev_io_stop(query->loop, &query->read);
		ev_io_stop(query->loop, &query->write);
		ev_timer_stop(query->loop, &query->timer);
	}
	fd_drop(&query->fd);
	if (query->out.at)
		explicit_bzero(query->out.at, query->out.room);
	buffer_drop(&query->in);
	buffer_drop(&query->out);
}

static void end(struct auth_query *query, int verdict)
{
	auth_sasl_drop(query);
	auth_tell(query, verdict);
}

/* One line of the server; true when it was the last word. */
static bool take_line(struct auth_query *query, const char *line)
{
	if (strncmp(line, "VERSION\t", 8) == 0 && line[8] != '1') {
		end(query, -EAGAIN);
		return true;
	}
	if (strncmp(line, "OK\t1", 4) == 0) {
		end(query, 0);
		return true;
	}
	if (strncmp(line, "FAIL\t1", 6) == 0) {
		end(query, strstr(line, "\ttemp") ? -EAGAIN : -EACCES);
		return true;
	}
	return false;
}

static void on_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct auth_query *query = io->data;
	char bytes[4096];
	ssize_t n = recv(query->fd.n, bytes, sizeof bytes, MSG_DONTWAIT);

	(void)loop;
	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || buffer_len(&query->in) + (size_t)n > SASL_IN_MAX) {
		end(query, -EAGAIN);
		return;
	}
	buffer_put(&query->in, bytes, (size_t)n);
	for (;;) {
		const char *at = (const char *)buffer_bytes(&query->in);
		const char *lf = memchr(at, '\n', buffer_len(&query->in));
		char line[1024];
		size_t len;

		if (!lf)
			return;
		len = (size_t)(lf - at);
		(void)snprintf(line, sizeof line, "%.*s", (int)len, at);
		buffer_take(&query->in, len + 1);
		if (take_line(query, line))
			return;
		if (buffer_len(&query->in) == 0)
			return;
	}
}

static void on_write(struct ev_loop *loop, ev_io *io, int revents)
{
	struct auth_query *query = io->data;
	ssize_t n = send(query->fd.n, buffer_bytes(&query->out), buffer_len(&query->out),
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	(void)revents;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		end(query, -EAGAIN);
		return;
	}
	if (n > 0)
		buffer_take(&query->out, (size_t)n);
	if (buffer_len(&query->out) == 0)
		ev_io_stop(loop, io);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	end(timer->data, -EAGAIN);
}

static void write_request(struct auth_query *query, const char *user, const char *password)
{
	AUTO(buffer_drop) struct buffer plain = { 0 };

	buffer_put(&plain, "", 1);
	buffer_put(&plain, user, strlen(user) + 1);
	buffer_put(&plain, password, strlen(password));
	buffer_print(&query->out, "VERSION\t1\t1\nCPID\t%d\nAUTH\t1\tPLAIN\tservice=smtp\tresp=",
		     (int)getpid());
	base64_encode(buffer_bytes(&plain), buffer_len(&plain), &query->out);
	buffer_text(&query->out, "\n");
	explicit_bzero(plain.at, plain.room);
}

void auth_sasl_ask(struct auth_query *query, const char *path, const char *user,
		   const char *password)
{
	struct sockaddr_storage address;
	socklen_t size = sockaddr_of_path(path, &address);

	query->fd.n = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ev_io_init(&query->read, on_read, query->fd.n, EV_READ);
	ev_io_init(&query->write, on_write, query->fd.n, EV_WRITE);
	ev_timer_init(&query->timer, on_timer, AUTH_WAIT_MS / 1000.0, 0);
	query->read.data = query->write.data = query->timer.data = query;
	if (query->fd.n < 0 || size == 0 ||
	    connect(query->fd.n, (struct sockaddr *)&address, size) < 0) {
		end(query, -EAGAIN);
		return;
	}
	write_request(query, user, password);
	ev_io_start(query->loop, &query->read);
	ev_io_start(query->loop, &query->write);
	ev_timer_start(query->loop, &query->timer);
}
