/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Upstream connections. Writing is tried at once and waited for only if the kernel has no room;
 * one timer per connection is armed for the earliest deadline and looks again when it fires, so
 * ordinary progress costs no timer work. What is idle is listened to: whatever comes then, 421 or
 * the end, ends it.
 */
#include "relay/upstream.h"

#include "base/mem.h"

#include <string.h>

enum { SECOND = 1000000, IDLE_MAX = 2000 };	/* idle ones of a worker */

static void tell(struct upstream *upstream)
{
	if (upstream->news)
		upstream->news(upstream->context);
}

static void arm(struct upstream *upstream)
{
	struct ev_loop *loop = upstream->worker->loop;
	uint64_t deadline = back_deadline(&upstream->back), now = worker_now(upstream->worker);
	double seconds;

	if (upstream->state == UPSTREAM_IDLE) {
		uint64_t idle = upstream->idle_since +
				(uint64_t)upstream->generation->model.relay.reuse_idle_s *
					SECOND;

		deadline = deadline && deadline < idle ? deadline : idle;
	}
	if (deadline == 0)
		return;
	seconds = deadline > now ? (double)(deadline - now) / SECOND + 0.001 : 0.001;
	if (ev_is_active(&upstream->timer) && ev_timer_remaining(loop, &upstream->timer) <= seconds)
		return;
	ev_timer_stop(loop, &upstream->timer);
	ev_timer_set(&upstream->timer, seconds, 0);
	ev_timer_start(loop, &upstream->timer);
}

void upstream_flush(struct upstream *upstream)
{
	struct buffer *out = &upstream->back.out;

	while (buffer_len(out) > 0 && !upstream->handshaking) {
		ssize_t n = tls_send(upstream->tls, upstream->fd.n, buffer_bytes(out),
				     buffer_len(out));

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN || n == TLS_WANT_WRITE) {
			ev_io_start(upstream->worker->loop, &upstream->write);
			arm(upstream);
			return;
		}
		if (n == TLS_WANT_READ)
			break;
		if (n < 0) {
			back_eof(&upstream->back, "the connection broke",
				 worker_now(upstream->worker));
			ev_feed_event(upstream->worker->loop, &upstream->read, EV_READ);
			break;
		}
		buffer_take(out, (size_t)n);
		back_written(&upstream->back, worker_now(upstream->worker));
	}
	ev_io_stop(upstream->worker->loop, &upstream->write);
	arm(upstream);
}

static void handshake(struct upstream *upstream)
{
	int r = tls_handshake(upstream->tls);
	struct ev_loop *loop = upstream->worker->loop;

	ev_io_stop(loop, &upstream->write);
	if (r == TLS_WANT_WRITE)
		ev_io_start(loop, &upstream->write);
	if (r == TLS_WANT_WRITE || r == TLS_WANT_READ)
		return;
	upstream->handshaking = false;
	METRIC_ADD(r == 0 ? &upstream->worker->metrics.tls_upstream
			  : &upstream->worker->metrics.tls_failures, 1);
	back_tls_done(&upstream->back, r == 0, tls_why(upstream->tls),
		      worker_now(upstream->worker));
	upstream_flush(upstream);
	tell(upstream);
}

/* The answer to STARTTLS was 220: everything from here on is TLS. Called by who took BACK_WANT_TLS. */
void upstream_tls(struct upstream *upstream)
{
	char why[160];

	if (tls_connect(upstream->generation->tls_client, upstream->fd.n, &upstream->expect,
			&upstream->tls, why, sizeof why) < 0) {
		back_tls_done(&upstream->back, false, why, worker_now(upstream->worker));
		tell(upstream);
		return;
	}
	upstream->handshaking = true;
	handshake(upstream);
}

static void read_some(struct upstream *upstream)
{
	struct worker *worker = upstream->worker;
	uint64_t now = worker_now(worker);
	ssize_t n;

	do {
		n = tls_recv(upstream->tls, upstream->fd.n, worker->scratch, SCRATCH);
		if (n > 0)
			back_bytes(&upstream->back, worker->scratch, (size_t)n, now);
	} while (n > 0 && upstream->tls && tls_pending(upstream->tls));
	if (n == 0)
		back_eof(&upstream->back, "it closed the connection", now);
	else if (n < 0 && !tls_is_wait(n))
		back_eof(&upstream->back, "the connection broke", now);
}

static void on_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct upstream *upstream = io->data;

	(void)loop;
	(void)revents;
	if (upstream->handshaking) {
		handshake(upstream);
		return;
	}
	if (!back_is_down(&upstream->back))
		read_some(upstream);
	if (upstream->state == UPSTREAM_IDLE) {
		struct back_news news;

		/* the answer to a last RSET; anything else ends it */
		while (back_next(&upstream->back, &news))
			back_news_drop(&news);
		if (back_is_down(&upstream->back))
			upstream_free(upstream);
		else
			upstream_flush(upstream);
		return;
	}
	if (!back_is_down(&upstream->back))
		upstream_flush(upstream);
	tell(upstream);
}

static void on_write(struct ev_loop *loop, ev_io *io, int revents)
{
	struct upstream *upstream = io->data;

	(void)loop;
	(void)revents;
	if (upstream->handshaking) {
		handshake(upstream);
		return;
	}
	upstream_flush(upstream);
	tell(upstream);				/* there is room again */
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct upstream *upstream = timer->data;

	(void)loop;
	(void)revents;
	if (upstream->state == UPSTREAM_IDLE &&
	    worker_now(upstream->worker) - upstream->idle_since >=
		    (uint64_t)upstream->generation->model.relay.reuse_idle_s * SECOND) {
		upstream_free(upstream);
		return;
	}
	back_tick(&upstream->back, worker_now(upstream->worker));
	arm(upstream);
	if (back_is_down(&upstream->back) && upstream->state == UPSTREAM_IDLE)
		upstream_free(upstream);
	else if (back_is_down(&upstream->back))
		tell(upstream);
}

struct upstream *upstream_new(struct worker *worker, struct generation *generation,
			      struct route *route)
{
	struct upstream *upstream = mem_zero(1, sizeof *upstream);

	upstream->worker = worker;
	upstream->generation = generation_ref(generation);
	upstream->route = route_ref(route);
	upstream->fd = FD_NONE;
	upstream->born = worker_now(worker);
	ev_io_init(&upstream->read, on_read, -1, EV_READ);
	ev_io_init(&upstream->write, on_write, -1, EV_WRITE);
	ev_timer_init(&upstream->timer, on_timer, 0, 0);
	upstream->read.data = upstream->write.data = upstream->timer.data = upstream;
	METRIC_ADD(&worker->metrics.upstreams, 1);
	return upstream;
}

static void leave_idle(struct upstream *upstream)
{
	struct worker *worker = upstream->worker;
	struct upstream **at = &upstream->route->idle;

	while (*at && *at != upstream)
		at = &(*at)->next;
	if (*at)
		*at = upstream->next;
	if (upstream->newer)
		upstream->newer->older = upstream->older;
	else
		worker->idle.first = upstream->older;
	if (upstream->older)
		upstream->older->newer = upstream->newer;
	upstream->next = upstream->newer = upstream->older = NULL;
	worker->idle.n--;
	METRIC_ADD(&worker->metrics.idle, -1);
	upstream->state = UPSTREAM_OWNED;
}

static void say_quit(struct upstream *upstream)
{
	if (back_is_idle(&upstream->back) && upstream->fd.n >= 0) {
		back_command(&upstream->back, BACK_QUIT, "QUIT", worker_now(upstream->worker));
		(void)!tls_send(upstream->tls, upstream->fd.n,
				buffer_bytes(&upstream->back.out),
				buffer_len(&upstream->back.out));
	}
}

void upstream_free(struct upstream *upstream)
{
	struct worker *worker = upstream->worker;

	if (upstream->state == UPSTREAM_IDLE)
		leave_idle(upstream);
	say_quit(upstream);
	ev_io_stop(worker->loop, &upstream->read);
	ev_io_stop(worker->loop, &upstream->write);
	ev_timer_stop(worker->loop, &upstream->timer);
	tls_free(upstream->tls);
	fd_drop(&upstream->fd);
	back_drop(&upstream->back);
	demand_drop(&upstream->demand);
	free(upstream->ehlo);
	free(upstream->host);
	free(upstream->binding);
	route_unref(worker, upstream->route);
	generation_unref(upstream->generation);
	METRIC_ADD(&worker->metrics.upstreams, -1);
	free(upstream);
}

void upstream_start(struct upstream *upstream, enum back_tls tls)
{
	upstream->back.ehlo = upstream->ehlo;
	upstream->back.tls = tls;
	ev_io_set(&upstream->read, upstream->fd.n, EV_READ);
	ev_io_set(&upstream->write, upstream->fd.n, EV_WRITE);
	ev_io_start(upstream->worker->loop, &upstream->read);
	back_start(&upstream->back, worker_now(upstream->worker));
	arm(upstream);
}

struct fd upstream_detach(struct upstream *upstream)
{
	ev_io_stop(upstream->worker->loop, &upstream->read);
	ev_io_stop(upstream->worker->loop, &upstream->write);
	ev_timer_stop(upstream->worker->loop, &upstream->timer);
	return fd_take(&upstream->fd);
}

void upstream_idle(struct upstream *upstream)
{
	const struct relay *relay = &upstream->generation->model.relay;
	struct worker *worker = upstream->worker;
	uint64_t age = worker_now(worker) - upstream->born;

	upstream->news = NULL;
	if (back_is_down(&upstream->back) || worker->stopping ||
	    upstream->generation != worker->now || worker->idle.n >= IDLE_MAX ||
	    relay->reuse_messages < 2 || upstream->back.n_transactions >= relay->reuse_messages ||
	    age > (uint64_t)relay->reuse_age_s * SECOND) {
		upstream_free(upstream);
		return;
	}
	upstream->state = UPSTREAM_IDLE;
	upstream->idle_since = worker_now(worker);
	buffer_trim(&upstream->back.out);
	upstream->next = upstream->route->idle;
	upstream->route->idle = upstream;
	upstream->older = worker->idle.first;
	if (upstream->older)
		upstream->older->newer = upstream;
	worker->idle.first = upstream;
	worker->idle.n++;
	METRIC_ADD(&worker->metrics.idle, 1);
	upstream_flush(upstream);		/* a RSET may still be there */
}

struct upstream *upstream_take(struct route *route)
{
	for (struct upstream *upstream = route->idle; upstream; upstream = upstream->next) {
		if (!back_is_idle(&upstream->back))
			continue;
		leave_idle(upstream);
		ev_timer_stop(upstream->worker->loop, &upstream->timer);
		return upstream;
	}
	return NULL;
}

void upstream_drop_idle(struct worker *worker)
{
	while (worker->idle.first)
		upstream_free(worker->idle.first);
}
