/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Peers of the control socket. A peer is read only while nothing waits to be sent to it, so one
 * that does not read its answers costs one answer of memory, and a stream makes its next piece when
 * the last one was written, or waits until control_wake(). What is not a varlink call ends the connection.
 *
 * Limits: 64 peers (the one that was idle longest makes room, root's last), 64 KiB a request. Calls
 * run to their end in the event loop.
 */
#include "daemon/control.h"

#include "base/mem.h"
#include "daemon/control_call.h"
#include "daemon/log.h"
#include "daemon/peer.h"
#include "proto/varlink.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

enum { PEERS_MAX = 64, REQUEST_MAX = 64 * 1024,
       CHANGE_MAX = 64 * 1024 * 1024, CALLS_AT_ONCE = 16, ACCEPTS_AT_ONCE = 16 };

struct peer {
	struct control *control;
	struct fd fd;
	sd_event_source *on_io;
	enum peer_right right;
	uid_t uid;
	struct varlink_reader reader;
	char *out;				/* answer being sent, or NULL */
	size_t out_len, out_sent;
	struct stream *stream;
	uint64_t used;				/* control->clock at its last call */
	bool eof;
	bool waiting;				/* its stream has nothing to say yet */
};

struct control {
	struct agent *agent;
	sd_event *event;
	struct fd fd;
	sd_event_source *on_connect;
	struct peer *peers[PEERS_MAX];
	gid_t readers;				/* group outbind, or -1 */
	uid_t reporter;				/* user outbind-dns, or -1 */
	uint64_t clock;				/* counts calls and connects */
	char path[PATH_MAX];
};

static void peer_free(struct peer *peer)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (peer->control->peers[i] == peer)
			peer->control->peers[i] = NULL;
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
	r = varlink_next(&peer->reader, &message);
	if (r <= 0)
		return r;
	peer->used = ++peer->control->clock;
	agent->asked_by = peer->uid;
	r = control_call(agent, peer->right, message, &reply);
	json_decref(message);
	agent->asked = agent_clock();		/* of the next one, if it came with this one */
	if (r < 0)
		return r;
	peer->stream = reply.stream;
	send_later(peer, reply.message);
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

/* A peer that said its last word may still want the answer: its end is seen by EPOLLHUP. */
static uint32_t events_of(const struct peer *peer, bool busy)
{
	return busy ? EPOLLOUT : peer->eof ? 0 : EPOLLIN;
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
	bool busy = false;
	int r = 0;

	(void)fd;
	if (revents & EPOLLIN)
		r = receive(peer);
	else if (revents & (EPOLLHUP | EPOLLERR))
		r = -ECONNRESET;
	if (r == 0)
		r = work(peer, &busy);
	if (r == -EBADMSG || r == -EMSGSIZE)
		log_event(EVENT_CONTROL_GARBAGE, "error=\"%s\" next=closed", strerror(-r));
	if (r < 0 || sd_event_source_set_io_events(source, events_of(peer, busy)) < 0)
		peer_free(peer);
	return 0;
}

static enum peer_right right_of(const struct control *control,
				const struct credentials *credentials)
{
	gid_t readers = control->readers;

	if (credentials->uid == 0)
		return PEER_ADMIN;
	if (credentials->uid == control->reporter && control->reporter != (uid_t)-1)
		return PEER_REPORT;
	if (readers != (gid_t)-1 && peer_in_groups(credentials, readers, readers))
		return PEER_READ;
	return PEER_NONE;
}

/* A free place; if there is none, the peer with the least right that was idle longest goes. */
static size_t make_room(struct control *control)
{
	size_t oldest = 0;

	for (size_t i = 0; i < PEERS_MAX; i++) {
		const struct peer *peer = control->peers[i], *least = control->peers[oldest];

		if (!peer)
			return i;
		if (peer->right < least->right ||
		    (peer->right == least->right && peer->used < least->used))
			oldest = i;
	}
	log_event(EVENT_CONTROL_FULL, "peers=%d next=\"the longest idle one is closed\"",
		  PEERS_MAX);
	peer_free(control->peers[oldest]);
	return oldest;
}

static int accept_one(struct control *control)
{
	AUTO(fd_drop) struct fd fd = { accept4(control->fd.n, NULL, NULL,
					       SOCK_CLOEXEC | SOCK_NONBLOCK) };
	AUTO(credentials_drop) struct credentials credentials = { 0 };
	struct peer *peer;
	int r;

	if (fd.n < 0)
		return -errno;
	r = peer_credentials(fd.n, &credentials);
	if (r < 0)
		return 0;
	peer = mem_zero(1, sizeof *peer);
	peer->control = control;
	peer->right = right_of(control, &credentials);
	peer->uid = credentials.uid;
	peer->reader.limit = peer->right == PEER_ADMIN ? CHANGE_MAX : REQUEST_MAX;
	peer->used = ++control->clock;
	peer->fd = fd_take(&fd);
	r = sd_event_add_io(control->event, &peer->on_io, peer->fd.n, EPOLLIN, on_io, peer);
	if (r < 0)
		peer_free(peer);
	else
		control->peers[make_room(control)] = peer;
	return 0;
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct control *control = context;
	int r = 0;

	(void)source;
	(void)fd;
	(void)revents;
	for (int i = 0; i < ACCEPTS_AT_ONCE && r == 0; i++)
		r = accept_one(control);
	if (r < 0 && r != -EAGAIN && r != -ECONNABORTED && r != -EINTR)
		log_event(EVENT_CONTROL_FAILED, "error=\"%s\"", strerror(-r));
	return 0;
}

static int listen_on(struct control *control, const char *runtime_dir)
{
	bool shared = peer_group_id("outbind", &control->readers) == 0;
	int r = peer_user_id("outbind-dns", &control->reporter);

	if (r < 0)
		control->reporter = (uid_t)-1;
	if (snprintf(control->path, sizeof control->path, "%s/%s", runtime_dir,
		     VARLINK_SOCKET_NAME) >= (int)sizeof control->path)
		return -ENAMETOOLONG;
	r = peer_listen(runtime_dir, VARLINK_SOCKET_NAME, SOCK_STREAM, shared ? 0660 : 0600,
			control->readers, &control->fd);
	if (r < 0)
		return r;
	r = sd_event_add_io(control->event, &control->on_connect, control->fd.n, EPOLLIN,
			    on_connect, control);
	if (r < 0)
		return r;
	log_event(EVENT_CONTROL_LISTENING, "path=%s readers=%s", control->path,
		  shared ? "outbind" : "-");
	return 0;
}

int control_open(struct sd_event *event, struct agent *agent, const char *runtime_dir,
		 struct control **ret)
{
	struct control *control = mem_zero(1, sizeof *control);
	int r;

	control->agent = agent;
	agent->control = control;
	control->event = sd_event_ref(event);
	control->fd = FD_NONE;
	control->readers = (gid_t)-1;
	r = listen_on(control, runtime_dir);
	if (r < 0) {
		control_close(control);
		return r;
	}
	*ret = control;
	return 0;
}

void control_wake(struct control *control)
{
	for (size_t i = 0; control && i < PEERS_MAX; i++)
		if (control->peers[i] && control->peers[i]->waiting)
			(void)sd_event_source_set_io_events(control->peers[i]->on_io, EPOLLOUT);
}

void control_close(struct control *control)
{
	if (!control)
		return;
	control->agent->control = NULL;
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (control->peers[i])
			peer_free(control->peers[i]);
	sd_event_source_disable_unref(control->on_connect);
	if (control->fd.n >= 0)
		(void)unlink(control->path);
	fd_drop(&control->fd);
	sd_event_unref(control->event);
	free(control);
}
