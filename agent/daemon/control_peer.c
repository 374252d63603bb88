/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One peer of the control socket. Root, and who reports what DNS says (in lists), are read here, and only
 * while nothing waits to be sent to them; everybody else by the gate, which passes on one call at a time.
 * So one that does not read its answers costs one answer of memory, and a stream makes its next piece when
 * the last one was written, or waits until control_wake(). What is not a varlink call ends the connection.
 *
 * A peer that asks too often is told so, and its next call is not looked at before the next tick: what is
 * refused costs something too.
 */
#include "daemon/control_parts.h"

#include "base/mem.h"
#include "daemon/log.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { REQUEST_MAX = 64 * 1024, CHANGE_MAX = 64 * 1024 * 1024,
       CALLS_AT_ONCE = 16, HOLD_USEC = 50 * 1000 };

void control_peer_free(struct peer *peer)
{
	for (size_t i = 0; i < CONTROL_PEERS_MAX; i++) {
		if (peer->control->peers[i] != peer)
			continue;
		peer->control->peers[i] = NULL;
		peer->control->agent->doors.control.peers--;
	}
	if (peer->gated)
		porter_leave(peer->control->porter, peer->gated);
	if (peer->stream)
		peer->stream->free(peer->stream);
	sd_event_source_disable_unref(peer->on_io);
	varlink_reader_drop(&peer->reader);
	fd_drop(&peer->fd);
	free(peer->out);
	free(peer);
}

static void send_later(struct peer *peer, json_t *message)
{
	if (!message)
		return;
	peer->out_len = varlink_encode(message, &peer->out);
	peer->out_sent = 0;
	json_decref(message);
}

/* 1: all is sent; 0: the peer's buffer is full; -errno: it is gone. */
static int flush(struct peer *peer)
{
	while (peer->out_sent < peer->out_len) {
		ssize_t n = send(peer->fd.n, peer->out + peer->out_sent,
				 peer->out_len - peer->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		peer->out_sent += (size_t)n;
	}
	free(peer->out);
	peer->out = NULL;
	peer->out_len = peer->out_sent = 0;
	return 1;
}

/* The stream's next answer, if it has one by now. As answer_next(). */
static int answer_stream(struct peer *peer)
{
	bool last;
	json_t *message = control_call_next(peer->control->agent, peer->stream, &last);

	peer->waiting = !message;
	if (peer->waiting)
		return 0;
	peer->used = ++peer->control->clock;
	send_later(peer, message);
	if (last) {
		peer->stream->free(peer->stream);
		peer->stream = NULL;
	}
	return 1;
}

static void take_reply(struct peer *peer, struct reply *reply)
{
	peer->stream = reply->stream;
	send_later(peer, reply->message);
}

/* Make the next answer: of the stream, or to the next call. 1: there is one to send or a oneway
 * call was run; 0: nothing to do; -errno: not a varlink peer. */
static int answer_next(struct peer *peer)
{
	struct agent *agent = peer->control->agent;
	struct reply reply;
	json_t *message;
	int r;

	if (peer->stream)
		return answer_stream(peer);
	if (peer->gated)
		return 0;
	r = varlink_next(&peer->reader, &message);
	if (r <= 0)
		return r;
	peer->used = ++peer->control->clock;
	agent->asked_by = peer->uid;
	r = control_call(agent, peer->right, message, &reply);
	openmetrics_took(&agent->figures.calls, agent_clock() - agent->asked);
	json_decref(message);
	agent->asked = agent_clock();		/* of the next one, if it came with this one */
	if (r < 0)
		return r;
	take_reply(peer, &reply);
	return 1;
}

/* 0: wait for events; -errno: close. *ret_busy: wants to go on at once, or to write. */
static int work(struct peer *peer, bool *ret_busy)
{
	*ret_busy = true;
	for (int i = 0; i < CALLS_AT_ONCE; i++) {
		int r = flush(peer);

		if (r <= 0)
			return r;
		r = answer_next(peer);
		if (r < 0)
			return r;
		if (r == 0) {
			*ret_busy = false;
			return peer->eof && !peer->waiting ? -ECONNRESET : 0;
		}
		if (peer->stream && peer->stream->slow)
			i = CALLS_AT_ONCE;	/* flushed when it is its turn again */
	}
	return 0;
}

/* The gate may go on, if the call that it brought is answered whole. */
static void ask_next(struct peer *peer)
{
	if (!peer->asking || peer->held || peer->stream || peer->out)
		return;
	peer->asking = false;
	porter_next(peer->control->porter, peer->gated);
}

/* What to wait for. Of a peer of the gate's: nothing, unless there is something to write. A peer that said
 * its last word may still want the answer: its end is seen by EPOLLHUP. */
static int wait_for(struct peer *peer, bool busy)
{
	uint32_t events = busy ? EPOLLOUT : peer->eof ? 0 : EPOLLIN;
	int r = sd_event_source_set_io_events(peer->on_io, peer->gated ? EPOLLOUT : events);

	if (r >= 0 && peer->gated)
		r = sd_event_source_set_enabled(peer->on_io, busy ? SD_EVENT_ON : SD_EVENT_OFF);
	return r;
}

/* Work, then wait; the peer may be gone afterwards. */
static void go_on(struct peer *peer)
{
	bool busy = false;
	int r = work(peer, &busy);

	if ((r == -EBADMSG || r == -EMSGSIZE) && log_allowed(&peer->control->agent->doors.log))
		log_event(EVENT_CONTROL_GARBAGE, "uid=%u error=\"%s\" next=closed", peer->uid,
			  strerror(-r));
	if (r < 0 || wait_for(peer, busy) < 0)
		control_peer_free(peer);
	else if (!busy)
		ask_next(peer);
}

static int receive(struct peer *peer)
{
	char bytes[16 * 1024];
	ssize_t n;

	peer->control->agent->asked = agent_clock();
	n = recv(peer->fd.n, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	peer->eof = n == 0;
	return varlink_feed(&peer->reader, bytes, (size_t)n);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct peer *peer = context;
	int r = 0;

	(void)source;
	(void)fd;
	if (revents & EPOLLIN && !peer->gated)
		r = receive(peer);
	else if (revents & (EPOLLHUP | EPOLLERR))
		r = -ECONNRESET;
	if (r < 0)
		control_peer_free(peer);
	else
		go_on(peer);
	return 0;
}

/* A call that came through the gate. -errno: not from this peer, now. */
static int run_gated(struct peer *peer, const struct gate_call *call)
{
	struct control *control = peer->control;
	struct reply reply = { 0 };
	int r = 0;

	if (peer->asking || peer->stream || peer->out)
		return -EBADMSG;		/* the gate knows better, unless it is not ours any more */
	peer->asking = true;
	peer->used = ++control->clock;
	if (!control_take_rate(control, peer->uid)) {
		peer->held = true;
		(void)sd_event_source_set_time_relative(control->on_hold, HOLD_USEC);
		(void)sd_event_source_set_enabled(control->on_hold, SD_EVENT_ONESHOT);
		send_later(peer, call->oneway ? NULL : control_too_many(peer->uid));
		return 0;
	}
	control->agent->asked_by = peer->uid;
	control->agent->asked = agent_clock();
	r = control_call_gated(control->agent, peer->right, call, &reply);
	if (r == 0)
		take_reply(peer, &reply);
	return r;
}

static void on_gate(void *owner, const struct gate_message *message)
{
	struct peer *peer = owner;
	int r = -ECONNRESET;

	if (message->word == GATE_CALL)
		r = run_gated(peer, &message->call);
	if ((r == -EBADMSG || message->word == GATE_GARBAGE) &&
	    log_allowed(&peer->control->agent->doors.log))
		log_event(EVENT_CONTROL_GARBAGE, "uid=%u error=\"%s\" next=closed", peer->uid,
			  strerror(EBADMSG));
	if (r < 0)
		control_peer_free(peer);
	else
		go_on(peer);
}

int control_peer_serve(struct peer *peer)
{
	struct control *control = peer->control;
	bool here = peer->right >= PEER_REPORT;
	int r = sd_event_add_io(control->event, &peer->on_io, peer->fd.n,
				here ? EPOLLIN : EPOLLOUT, on_io, peer);

	if (r < 0)
		return r;
	peer->reader.limit = peer->right == PEER_ADMIN ? CHANGE_MAX : REQUEST_MAX;
	if (here)
		return 0;
	r = sd_event_source_set_enabled(peer->on_io, SD_EVENT_OFF);
	return r < 0 ? r : porter_admit(control->porter, GATE_OPEN_CONTROL, peer->fd.n, on_gate,
					peer, &peer->gated);
}

void control_peer_wake(struct peer *peer)
{
	if (!peer->waiting)
		return;
	(void)sd_event_source_set_io_events(peer->on_io, EPOLLOUT);
	(void)sd_event_source_set_enabled(peer->on_io, SD_EVENT_ON);
}

void control_peer_release(struct peer *peer)
{
	peer->held = false;
	ask_next(peer);
}
