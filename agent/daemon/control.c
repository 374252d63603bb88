/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may in at the control socket: see control_peer.c for what happens then. Root may do everything,
 * user outbind-dns report what it found and read, group outbind read; others are told what may be called.
 * The rights of a peer are those of connect(2) time.
 *
 * Limits: 64 peers, 16 of a user who is not root. Of a user with 16 the one that was idle longest makes
 * room, else of those with the least right. 500 calls and connections a second of a user who is not root.
 * Calls run to their end in the event loop.
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
