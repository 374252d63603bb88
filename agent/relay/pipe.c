/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two half pipes. Each reads only when what it read before is written, so the slower side paces the faster.
 * The end of one side is passed on (shutdown(2)); the other may go on for a while.
 */
#include "relay/pipe.h"

#include "base/mem.h"

#include <sys/socket.h>

enum { PIPE_WAIT_S = 7440 };			/* RFC 5382 requirement 5 */

struct pipe;
struct half {
	struct pipe *pipe;
	struct fd fd;				/* what is written to */
	struct half *other;
	ev_io read, write;			/* of fd */
	struct buffer out;			/* to fd */
	uint64_t n;
	bool ended;				/* nothing more comes from fd */
	bool shut;
};

struct pipe {
	struct worker *worker;
	struct half client, upstream;
	ev_timer timer;
	void (*done)(void *context, uint64_t up, uint64_t down);
	void *context;
};

static void pipe_end(struct pipe *pipe)
{
	struct half *halves[] = { &pipe->client, &pipe->upstream };

	for (size_t i = 0; i < ARRAY_LEN(halves); i++) {
		ev_io_stop(pipe->worker->loop, &halves[i]->read);
		ev_io_stop(pipe->worker->loop, &halves[i]->write);
		buffer_drop(&halves[i]->out);
		fd_drop(&halves[i]->fd);
	}
	ev_timer_stop(pipe->worker->loop, &pipe->timer);
	METRIC_ADD(&pipe->worker->metrics.piped, pipe->client.n + pipe->upstream.n);
	pipe->done(pipe->context, pipe->upstream.n, pipe->client.n);
	free(pipe);
}

/* Write to one side what there is. False: the pipe has ended. */
static bool flush(struct half *half)
{
	struct ev_loop *loop = half->pipe->worker->loop;

	while (buffer_len(&half->out) > 0) {
		ssize_t n = send(half->fd.n, buffer_bytes(&half->out), buffer_len(&half->out),
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			ev_io_start(loop, &half->write);
			return true;
		}
		if (n < 0) {
			pipe_end(half->pipe);
			return false;
		}
		half->n += (uint64_t)n;
		buffer_take(&half->out, (size_t)n);
	}
	ev_io_stop(loop, &half->write);
	if (half->other->ended && !half->shut) {
		half->shut = true;
		(void)shutdown(half->fd.n, SHUT_WR);
	}
	if (half->shut && half->other->shut) {
		pipe_end(half->pipe);
		return false;
	}
	if (!half->other->ended)
		ev_io_start(loop, &half->other->read);
	return true;
}

static void on_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct half *half = io->data;
	struct worker *worker = half->pipe->worker;
	ssize_t n = recv(half->fd.n, worker->scratch, SCRATCH, MSG_DONTWAIT);

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		pipe_end(half->pipe);
		return;
	}
	ev_timer_again(loop, &half->pipe->timer);
	ev_io_stop(loop, &half->read);
	if (n == 0)
		half->ended = true;
	buffer_put(&half->other->out, worker->scratch, (size_t)n);
	(void)flush(half->other);
}

static void on_write(struct ev_loop *loop, ev_io *io, int revents)
{
	struct half *half = io->data;

	(void)revents;
	ev_timer_again(loop, &half->pipe->timer);
	(void)flush(half);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	pipe_end(timer->data);
}

static void half_init(struct half *half, struct pipe *pipe, struct half *other, struct fd *fd,
		      struct buffer *out)
{
	half->pipe = pipe;
	half->other = other;
	half->fd = fd_take(fd);
	if (out) {
		half->out = *out;
		*out = (struct buffer){ 0 };
	}
	ev_io_init(&half->read, on_read, half->fd.n, EV_READ);
	ev_io_init(&half->write, on_write, half->fd.n, EV_WRITE);
	half->read.data = half->write.data = half;
}

void pipe_start(struct worker *worker, struct fd client, struct fd upstream,
		struct buffer *to_client, struct buffer *to_upstream,
		void (*done)(void *context, uint64_t up, uint64_t down), void *context)
{
	struct pipe *pipe = mem_zero(1, sizeof *pipe);

	pipe->worker = worker;
	pipe->done = done;
	pipe->context = context;
	half_init(&pipe->client, pipe, &pipe->upstream, &client, to_client);
	half_init(&pipe->upstream, pipe, &pipe->client, &upstream, to_upstream);
	ev_timer_init(&pipe->timer, on_timer, 0, PIPE_WAIT_S);
	pipe->timer.data = pipe;
	ev_timer_again(worker->loop, &pipe->timer);
	if (flush(&pipe->client))
		(void)flush(&pipe->upstream);
}
