/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may in at the control socket: see control_peer.c for what happens then. The rights of a peer are
 * those of connect(2) time.
 *
 * Limits: 64 peers, 16 of a user who is not root (the one that was idle longest makes room, root's last);
 * 500 calls and connections a second of such a user. Calls run to their end in the event loop.
 */
#include "daemon/control.h"

#include "base/mem.h"
#include "daemon/control_parts.h"
#include "daemon/log.h"
#include "daemon/peer.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83			/* Linux 6.16 */
#endif

enum { ACCEPTS_AT_ONCE = 4 };

static const struct rate_limit of_user = { .per_second = 500, .burst = 1000 };

bool control_take_rate(struct control *control, uid_t uid)
{
	bool may = uid == 0 || rate_take(&control->rates, of_user, uid, agent_clock());

	control->agent->doors.control.limited += !may;
	return may;
}

json_t *control_too_many(uid_t uid)
{
	char text[160];

	snprintf(text, sizeof text, "more than %u calls a second by user %u; this one was not run",
		 of_user.per_second, uid);
	return json_pack("{s:s, s:{s:s}}", "error", OUTBIND_ERROR("TooManyCalls"), "parameters",
			 "text", text);
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
	openmetrics_took(&agent->figures.calls, agent_clock() - agent->asked);
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

/* Who has to go for a peer of @uid: of the user's own, if it has enough, else anybody's; the one with
 * the least right that was idle longest. NULL if there is a free place. */
static struct peer *find_victim(const struct control *control, uid_t uid, size_t *ret_place)
{
	struct peer *least = NULL, *own = NULL;
	size_t of_user_n = 0;

	*ret_place = CONTROL_PEERS_MAX;
	for (size_t i = 0; i < CONTROL_PEERS_MAX; i++) {
		struct peer *peer = control->peers[i];

		if (!peer) {
			*ret_place = i;
			continue;
		}
		if (!least || peer->right < least->right ||
		    (peer->right == least->right && peer->used < least->used))
			least = peer;
		if (peer->uid == uid && (!own || peer->used < own->used))
			own = peer;
		of_user_n += peer->uid == uid;
	}
	if (uid != 0 && of_user_n >= CONTROL_PEERS_PER_USER)
		return own;
	return *ret_place == CONTROL_PEERS_MAX ? least : NULL;
}

static size_t make_room(struct control *control, uid_t uid)
{
	size_t place;
	struct peer *victim = find_victim(control, uid, &place);

	if (!victim)
		return place;
	if (log_allowed(&control->agent->doors.log))
		log_event(EVENT_CONTROL_FULL, "uid=%u next=\"the longest idle one is closed\"",
			  victim->uid);
	control_peer_free(victim);
	(void)find_victim(control, uid, &place);
	return place;
}

/* Not served, and told why: its only answer. */
static void turn_away(struct control *control, const struct fd *fd, json_t *message)
{
	AUTO(mem_drop) char *text = NULL;
	size_t n = varlink_encode(message, &text);

	json_decref(message);
	control->agent->doors.control.refused++;
	if (send(fd->n, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;				/* it does not want to know */
}

static json_t *no_gate(void)
{
	return json_pack("{s:s, s:{s:s}}", "error", OUTBIND_ERROR("Busy"), "parameters", "text",
			 "connections like this one cannot be read at the moment");
}

static void admit(struct control *control, struct fd *fd, const struct credentials *credentials)
{
	struct peer *peer;
	size_t place;

	if (!control_take_rate(control, credentials->uid)) {
		turn_away(control, fd, control_too_many(credentials->uid));
		return;
	}
	peer = mem_zero(1, sizeof *peer);
	peer->control = control;
	peer->right = right_of(control, credentials);
	peer->uid = credentials->uid;
	peer->used = ++control->clock;
	peer->fd = fd_take(fd);
	place = make_room(control, peer->uid);
	if (control_peer_serve(peer) < 0) {
		turn_away(control, &peer->fd, no_gate());
		control_peer_free(peer);
		return;
	}
	control->peers[place] = peer;
	control->agent->doors.control.peers++;
}

static int accept_one(struct control *control)
{
	AUTO(fd_drop) struct fd fd = { accept4(control->fd.n, NULL, NULL,
					       SOCK_CLOEXEC | SOCK_NONBLOCK) };
	AUTO(credentials_drop) struct credentials credentials = { 0 };

	if (fd.n < 0)
		return -errno;
	if (peer_credentials(fd.n, &credentials) == 0)
		admit(control, &fd, &credentials);
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

/* Who asked too often may ask again. */
static int on_hold(sd_event_source *source, uint64_t usec, void *context)
{
	struct control *control = context;

	(void)usec;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	for (size_t i = 0; i < CONTROL_PEERS_MAX; i++)
		if (control->peers[i] && control->peers[i]->held)
			control_peer_release(control->peers[i]);
	return 0;
}

static int listen_on(struct control *control, const char *runtime_dir)
{
	bool shared = peer_group_id("outbind", &control->readers) == 0;
	int off = 0, r = peer_user_id("outbind-dns", &control->reporter);

	if (r < 0)
		control->reporter = (uid_t)-1;
	if (snprintf(control->path, sizeof control->path, "%s/%s", runtime_dir,
		     VARLINK_SOCKET_NAME) >= (int)sizeof control->path)
		return -ENAMETOOLONG;
	r = peer_listen(runtime_dir, VARLINK_SOCKET_NAME, SOCK_STREAM, shared ? 0660 : 0600,
			control->readers, &control->fd);
	if (r < 0)
		return r;
	/* No descriptors, where the kernel can refuse them: dropping one may take its sender's time. */
	(void)setsockopt(control->fd.n, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off);
	r = sd_event_add_io(control->event, &control->on_connect, control->fd.n, EPOLLIN,
			    on_connect, control);
	if (r >= 0)
		r = sd_event_add_time_relative(control->event, &control->on_hold, CLOCK_MONOTONIC,
					       0, 0, on_hold, control);
	if (r < 0)
		return r;
	log_event(EVENT_CONTROL_LISTENING, "path=%s readers=%s", control->path,
		  shared ? "outbind" : "-");
	return 0;
}

int control_open(struct sd_event *event, struct agent *agent, const char *runtime_dir,
		 struct porter *porter, struct control **ret)
{
	struct control *control = mem_zero(1, sizeof *control);
	int r;

	control->agent = agent;
	agent->control = control;
	control->event = sd_event_ref(event);
	control->porter = porter;
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
	for (size_t i = 0; control && i < CONTROL_PEERS_MAX; i++)
		if (control->peers[i])
			control_peer_wake(control->peers[i]);
}

void control_close(struct control *control)
{
	if (!control)
		return;
	control->agent->control = NULL;
	for (size_t i = 0; i < CONTROL_PEERS_MAX; i++)
		if (control->peers[i])
			control_peer_free(control->peers[i]);
	sd_event_source_disable_unref(control->on_connect);
	sd_event_source_disable_unref(control->on_hold);
	if (control->fd.n >= 0)
		(void)unlink(control->path);
	fd_drop(&control->fd);
	sd_event_unref(control->event);
	free(control);
}
