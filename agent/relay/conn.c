/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's connection. All events end in conn_work(): the session's wishes are carried out,
 * what it has to say is written in one go, and read and write are listened for as far as there is
 * use. While the session does not want bytes, the socket is only looked at for its end, so that a
 * client that has gone is known.
 */
#include "relay/conn.h"

#include "base/mem.h"
#include "relay/clients.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { SECOND = 1000000, LAST_WORD_S = 10, ACKNOWLEDGE_US = 20000, HANDSHAKE_S = 60 };

void conn_free(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (conn->map)
		socketmap_cancel(conn->map);
	if (conn->auth)
		auth_cancel(conn->auth);
	session_free(conn->session);		/* its last record tells of the upstreams */
	conn_release_all(conn);
	for (size_t i = 0; i < conn->routes.n; i++)
		route_unref(worker, conn->routes.at[i]);
	free(conn->routes.at);
	ev_io_stop(worker->loop, &conn->read);
	ev_io_stop(worker->loop, &conn->write);
	ev_timer_stop(worker->loop, &conn->timer);
	tls_free(conn->tls);
	if (conn->reset && conn->fd.n >= 0) {
		struct linger now = { .l_onoff = 1, .l_linger = 0 };

		(void)setsockopt(conn->fd.n, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	}
	fd_drop(&conn->fd);
	if (conn->newer)
		conn->newer->older = conn->older;
	else
		worker->conns.first = conn->older;
	if (conn->older)
		conn->older->newer = conn->newer;
	peer_drop(&conn->peer);
	if (conn->counted)
		clients_leave(worker->clients, &conn->client);
	conn->front->counts->sessions--;
	generation_unref(conn->generation);
	free(conn);
	worker->n_conns--;
	worker_check_end(worker);
}

/* Has the client's kernel acknowledged everything that we sent? */
static bool is_unread(const struct conn *conn)
{
	int left = 0;

	return ioctl(conn->fd.n, SIOCOUTQ, &left) == 0 && left > 0;
}

static void client_gone(struct conn *conn, bool broken)
{
	if (conn->gone)
		return;
	conn->gone = true;
	session_client_gone(conn->session,
			    broken || is_unread(conn) ||
				    buffer_len(session_output(conn->session)) > 0,
			    worker_now(conn->worker));
}

/* It sends no more; whether it still reads is seen when something is written. */
static void client_closed(struct conn *conn)
{
	if (conn->eof || conn->gone)
		return;
	conn->eof = true;
	session_client_eof(conn->session, worker_now(conn->worker));
}

/*
 * The client was told of a delivery and has said nothing since: does its kernel have that now? It is waited
 * for, as one that is gone and has not read it will send the message again.
 */
static bool is_waiting(struct conn *conn)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (conn->gone || conn->reset || !session_is_unacked(conn->session))
		return false;
	if (getsockopt(conn->fd.n, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error)
		client_gone(conn, true);
	return !conn->gone && is_unread(conn);
}

/* True when all is written. */
static bool flush(struct conn *conn)
{
	struct buffer *out = session_output(conn->session);

	while (buffer_len(out) > 0 && !conn->gone && !conn->handshaking) {
		ssize_t n = tls_send(conn->tls, conn->fd.n, buffer_bytes(out), buffer_len(out));

		if (n == -EINTR)
			continue;
		if (tls_is_wait(n)) {
			ev_io_start(conn->worker->loop, &conn->write);
			return false;
		}
		if (n < 0) {
			client_gone(conn, true);
			break;
		}
		buffer_take(out, (size_t)n);
	}
	ev_io_stop(conn->worker->loop, &conn->write);
	if (conn->gone)
		buffer_take(out, buffer_len(out));
	buffer_trim(out);
	return true;
}

static void on_auth(void *context, int verdict)
{
	struct conn *conn = context;

	conn->auth = NULL;
	session_authenticated(conn->session, verdict, worker_now(conn->worker));
	conn_work(conn);
}

static void handshake(struct conn *conn)
{
	int r = tls_handshake(conn->tls);
	struct ev_loop *loop = conn->worker->loop;

	ev_io_stop(loop, &conn->write);
	if (r == TLS_WANT_WRITE)
		ev_io_start(loop, &conn->write);
	if (r == TLS_WANT_READ || r == TLS_WANT_WRITE) {
		ev_io_start(loop, &conn->read);
		return;
	}
	conn->handshaking = false;
	ev_timer_stop(loop, &conn->timer);
	if (r == 0)
		METRIC_ADD(&conn->worker->metrics.tls_front, 1);
	if (conn->front->session.tls == FRONT_TLS_IMPLICIT && r == 0) {
		conn_work(conn);
		return;
	}
	session_tls_done(conn->session, r == 0, worker_now(conn->worker));
	if (r < 0)
		client_gone(conn, true);
	conn_work(conn);
}

static void start_tls(struct conn *conn)
{
	conn->tls = tls_accept(conn->front->tls, conn->fd.n);
	conn->handshaking = true;
	ev_timer_stop(conn->worker->loop, &conn->timer);
	ev_timer_set(&conn->timer, HANDSHAKE_S, 0);
	ev_timer_start(conn->worker->loop, &conn->timer);
	handshake(conn);
}

/* What the session asks for. False: the connection is no longer ours. */
static bool carry_out(struct conn *conn)
{
	struct ask ask;

	for (session_next(conn->session, &ask); ask.kind != ASK_NOTHING;
	     session_next(conn->session, &ask)) {
		switch (ask.kind) {
		case ASK_ROUTE:
			conn_route(conn);
			break;
		case ASK_DIAL:
			conn_dial(conn, ask.leg, ask.reusable);
			break;
		case ASK_RELEASE:
			conn_release(conn, ask.leg, ask.reusable);
			break;
		case ASK_AUTH:
			conn->auth = auth_check(conn->worker->loop, conn->front->conf, ask.user,
						ask.password, on_auth, conn);
			break;
		case ASK_TLS:
			(void)flush(conn);
			if (conn->gone)
				break;
			conn->busy = false;
			start_tls(conn);
			return false;
		case ASK_PIPE:
			conn_pipe(conn, ask.leg);
			return false;
		case ASK_RESET:
			conn->reset = true;
			conn->closing = true;
			break;
		case ASK_CLOSE:
			conn->closing = true;
			break;
		case ASK_NOTHING:
			break;
		}
	}
	return true;
}

static void arm(struct conn *conn)
{
	struct ev_loop *loop = conn->worker->loop;
	uint64_t deadline = session_deadline(conn->session), now = worker_now(conn->worker);
	double seconds;

	if (conn->closing)
		deadline = now + ACKNOWLEDGE_US;
	if (deadline == 0)
		return;				/* when it fires, it looks again */
	seconds = deadline > now ? (double)(deadline - now) / SECOND + 0.001 : 0.001;
	if (ev_is_active(&conn->timer) && ev_timer_remaining(loop, &conn->timer) <= seconds)
		return;
	ev_timer_stop(loop, &conn->timer);
	ev_timer_set(&conn->timer, seconds, 0);
	ev_timer_start(loop, &conn->timer);
}

void conn_work(struct conn *conn)
{
	if (conn->busy) {			/* the frame below goes on */
		conn->pending = true;
		return;
	}
	conn->busy = true;
	do {
		conn->pending = false;
		if (!carry_out(conn))
			return;
		conn_flush_upstreams(conn);
	} while (conn->pending);
	conn->busy = false;
	if (conn->closing && conn->last_word == 0)
		conn->last_word = worker_now(conn->worker) + (uint64_t)LAST_WORD_S * SECOND;
	if (flush(conn) && conn->closing && !is_waiting(conn)) {
		conn_free(conn);
		return;
	}
	if (!conn->gone && !conn->eof && (session_wants_client(conn->session) || !conn->closing))
		ev_io_start(conn->worker->loop, &conn->read);
	arm(conn);
}

/* The session has no use for bytes now: is this the end, or only more of them? */
static void look_for_end(struct conn *conn)
{
	uint8_t one;
	ssize_t n = recv(conn->fd.n, &one, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) {
		if (n > 0)
			ev_io_stop(conn->worker->loop, &conn->read);
		return;
	}
	ev_io_stop(conn->worker->loop, &conn->read);
	if (n < 0)
		client_gone(conn, true);
	else
		client_closed(conn);
	conn_work(conn);
}

static void on_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct conn *conn = io->data;
	struct worker *worker = conn->worker;
	ssize_t n;

	(void)revents;
	if (conn->handshaking) {
		handshake(conn);
		return;
	}
	if (conn->closing || !session_wants_client(conn->session)) {
		look_for_end(conn);
		return;
	}
	session_clock(conn->session, (int64_t)ev_now(loop));
	do {
		n = tls_recv(conn->tls, conn->fd.n, worker->scratch, SCRATCH);
		if (n > 0)
			session_client(conn->session, worker->scratch, (size_t)n,
				       worker_now(worker));
	} while (n > 0 && conn->tls && tls_pending(conn->tls) &&
		 session_wants_client(conn->session));
	if (n <= 0 && !tls_is_wait(n)) {
		ev_io_stop(loop, io);
		if (n < 0)
			client_gone(conn, true);
		else
			client_closed(conn);
	}
	conn_work(conn);
}

static void on_write(struct ev_loop *loop, ev_io *io, int revents)
{
	struct conn *conn = io->data;

	(void)loop;
	(void)revents;
	if (conn->handshaking)
		handshake(conn);
	else
		conn_work(conn);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct conn *conn = timer->data;

	(void)loop;
	(void)revents;
	if (conn->handshaking ||
	    (conn->closing && worker_now(conn->worker) >= conn->last_word)) {
		if (conn->closing)
			client_gone(conn, true);	/* it does not even take the last word */
		conn_free(conn);
		return;
	}
	if (!conn->closing)
		session_tick(conn->session, worker_now(conn->worker));
	conn_work(conn);
}

static void link_in(struct conn *conn)
{
	conn->older = conn->worker->conns.first;
	if (conn->older)
		conn->older->newer = conn;
	conn->worker->conns.first = conn;
	conn->worker->n_conns++;
	conn->front->counts->sessions++;
}

struct conn *conn_new(struct worker *worker, struct generation *generation, size_t front,
		      struct fd *fd)
{
	struct conn *conn = mem_zero(1, sizeof *conn);
	int on = 1;

	conn->worker = worker;
	conn->generation = generation_ref(generation);
	conn->front = &generation->fronts[front];
	conn->fd = fd_take(fd);
	ev_io_init(&conn->read, on_read, conn->fd.n, EV_READ);
	ev_io_init(&conn->write, on_write, conn->fd.n, EV_WRITE);
	ev_timer_init(&conn->timer, on_timer, 0, 0);
	conn->read.data = conn->write.data = conn->timer.data = conn;
	link_in(conn);
	METRIC_ADD(&worker->metrics.sessions, 1);
	(void)setsockopt(conn->fd.n, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return conn;
}

void conn_begin(struct conn *conn)
{
	if (conn->front->session.tls == FRONT_TLS_IMPLICIT)
		start_tls(conn);
	else
		conn_work(conn);
}

void conn_stop_all(struct worker *worker, bool at_once)
{
	struct conn *next;

	for (struct conn *conn = worker->conns.first; conn; conn = next) {
		next = conn->older;
		if (conn->fd.n < 0)
			continue;		/* a blind pipe: it ends by itself, or with the process */
		if (at_once) {
			conn_free(conn);
			continue;
		}
		session_stop(conn->session, worker_now(worker));
		conn_work(conn);
	}
}
