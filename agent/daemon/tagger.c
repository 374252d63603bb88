/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may in at the tag socket; tagger_client.c is what happens then. Anybody may connect, so all is
 * bounded: peers in total and by user, connections and requests by user in a second, lines in the log.
 *
 * Rights are those of connect(2) time. Of the cgroup of a peer what the kernel tells is noted then, and where
 * that is in the tree is looked for when it matters (tag_allow.c): visitor.h has what is told, and by which
 * kernel. Who is trusted is not asked for its cgroup.
 */
#include "daemon/tagger.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/tagger_parts.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { ACCEPTS_AT_ONCE = 4, FULL_PAUSE_USEC = 200000 };

/* After whatever else was done in this turn of the loop. */
static int on_others(sd_event_source *source, void *context)
{
	struct tagger *tagger = context;
	bool changed = tagger->changes != tagger->agent->changes;

	(void)source;
	if (!changed && !tagger->owes_changes)
		return 0;
	tagger->changes = tagger->agent->changes;
	tagger->owes_changes = false;
	for (size_t i = 0; i < TAGGER_CLIENTS_MAX; i++) {
		struct client_peer *client = tagger->clients[i];

		if (client && client->watches && (changed || client->owes_change))
			tagger_client_tell(client);
		tagger->owes_changes |= client && client->owes_change;
	}
	return 0;
}

/* Who asked too often may ask again. */
static int on_hold(sd_event_source *source, uint64_t usec, void *context)
{
	struct tagger *tagger = context;

	(void)usec;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	for (size_t i = 0; i < TAGGER_CLIENTS_MAX; i++) {
		struct client_peer *client = tagger->clients[i];

		if (client && client->held)
			tagger_client_release(client);
	}
	return 0;
}

/* A free place for a peer like @peer, or TAGGER_CLIENTS_MAX. */
static size_t find_place(const struct tagger *tagger, const struct tag_peer *peer)
{
	size_t n = 0, of_user = 0, place = TAGGER_CLIENTS_MAX;

	for (size_t i = 0; i < TAGGER_CLIENTS_MAX; i++) {
		const struct client_peer *client = tagger->clients[i];

		if (!client)
			place = i;
		n += client != NULL;
		of_user += client && client->peer.credentials.uid == peer->credentials.uid;
	}
	if (!peer->trusted &&
	    (of_user >= TAGGER_PER_USER || n >= TAGGER_CLIENTS_MAX - TAGGER_OF_TRUSTED))
		return TAGGER_CLIENTS_MAX;
	return place;
}

/* Not served, and told why: the reply to a request that is not read. */
static void turn_away(struct client_peer *client, const char *reply, size_t len)
{
	struct tagger *tagger = client->tagger;

	tagger->agent->doors.tags.refused++;
	if (log_allowed(&tagger->log))
		log_event(EVENT_TAG_FULL, "uid=%u next=closed", client->peer.credentials.uid);
	(void)!send(client->fd.n, reply, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	tagger_client_free(client);
}

static void add_client(struct tagger *tagger, struct client_peer *client)
{
	static const char full[] = TAG_REPLY_ERROR TAG_TOO_MANY " connections are open",
			  no_gate[] = TAG_REPLY_ERROR TAG_NOT_NOW
				" connections like this one cannot be read at the moment";
	size_t place = find_place(tagger, &client->peer);
	char reply[TAG_REPLY_MAX];

	if (!tagger_client_take_rate(client)) {
		turn_away(client, reply, tagger_client_too_many(&client->peer, reply));
		return;
	}
	if (place == TAGGER_CLIENTS_MAX) {
		turn_away(client, full, sizeof full - 1);
		return;
	}
	if (!client->peer.trusted && tagger->agent->cgroups &&
	    visitor_of_peer(client->fd.n, client->peer.credentials.pid, &client->peer.visitor) < 0)
		client->peer.visitor = VISITOR_NONE;	/* no cgroup allows it anything */
	if (tagger_client_serve(client) < 0) {
		turn_away(client, no_gate, sizeof no_gate - 1);
		return;
	}
	tagger->clients[place] = client;
	tagger->agent->doors.tags.peers++;
}

static int accept_one(struct tagger *tagger)
{
	AUTO(fd_drop) struct fd fd = { accept4(tagger->fd.n, NULL, NULL,
					       SOCK_CLOEXEC | SOCK_NONBLOCK) };
	struct client_peer *client;
	uid_t uid;

	if (fd.n < 0)
		return -errno;
	client = mem_zero(1, sizeof *client);
	client->tagger = tagger;
	client->fd = fd_take(&fd);
	client->peer.visitor = VISITOR_NONE;
	client->peer.searches = &tagger->searches;
	if (peer_credentials(client->fd.n, &client->peer.credentials) < 0) {
		tagger_client_free(client);
		return 0;
	}
	uid = client->peer.credentials.uid;
	client->peer.trusted = uid == 0 || (tagger->has_relay && uid == tagger->relay);
	add_client(tagger, client);
	return 0;
}

static int on_pause(sd_event_source *source, uint64_t usec, void *context)
{
	struct tagger *tagger = context;

	(void)usec;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	(void)sd_event_source_set_enabled(tagger->on_connect, SD_EVENT_ON);
	return 0;
}

/* Strangers keep us from closing what they sent: let nobody in for a moment. */
static void pause_accepting(struct tagger *tagger)
{
	if (log_allowed(&tagger->log))
		log_event(EVENT_TAG_FULL, "releases=%d next=pause", RELEASES_MAX);
	(void)sd_event_source_set_enabled(tagger->on_connect, SD_EVENT_OFF);
	(void)sd_event_source_set_time_relative(tagger->on_pause, FULL_PAUSE_USEC);
	(void)sd_event_source_set_enabled(tagger->on_pause, SD_EVENT_ONESHOT);
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct tagger *tagger = context;
	int r = 0;

	(void)source;
	(void)fd;
	(void)revents;
	if (releaser_is_full(tagger->releaser)) {
		pause_accepting(tagger);
		return 0;
	}
	for (int i = 0; i < ACCEPTS_AT_ONCE && r == 0; i++)
		r = accept_one(tagger);
	if (r < 0 && r != -EAGAIN && r != -ECONNABORTED && r != -EINTR && log_allowed(&tagger->log))
		log_event(EVENT_TAG_FAILED, "error=\"%s\"", strerror(-r));
	return 0;
}

static int listen_on(struct tagger *tagger, const char *runtime_dir)
{
	int r;

	if (snprintf(tagger->path, sizeof tagger->path, "%s/%s", runtime_dir, TAG_SOCKET_NAME) >=
	    (int)sizeof tagger->path)
		return -ENAMETOOLONG;
	r = peer_listen(runtime_dir, TAG_SOCKET_NAME, SOCK_SEQPACKET, 0666, (gid_t)-1, &tagger->fd);
	if (r < 0)
		return r;
	r = sd_event_add_io(tagger->event, &tagger->on_connect, tagger->fd.n, EPOLLIN, on_connect,
			    tagger);
	if (r >= 0)
		r = sd_event_add_time_relative(tagger->event, &tagger->on_pause, CLOCK_MONOTONIC,
					       0, 0, on_pause, tagger);
	if (r >= 0)
		r = sd_event_add_time_relative(tagger->event, &tagger->on_hold, CLOCK_MONOTONIC, 0,
					       0, on_hold, tagger);
	if (r >= 0)
		r = sd_event_add_post(tagger->event, &tagger->on_others, on_others, tagger);
	if (r < 0)
		return r;
	log_event(EVENT_TAG_LISTENING, "path=%s relay=%s", tagger->path,
		  tagger->has_relay ? "outbind-relay" : "-");
	return 0;
}

int tagger_open(struct sd_event *event, struct agent *agent, const char *runtime_dir,
		struct porter *strangers, struct porter *relays, struct tagger **ret)
{
	struct tagger *tagger = mem_zero(1, sizeof *tagger);
	int r;

	tagger->agent = agent;
	tagger->event = sd_event_ref(event);
	tagger->fd = FD_NONE;
	tagger->releaser = releaser_new();
	tagger->strangers = strangers;
	tagger->relays = relays;
	tagger->has_relay = relays && peer_user_id("outbind-relay", &tagger->relay) == 0;
	r = listen_on(tagger, runtime_dir);
	if (r < 0) {
		tagger_close(tagger);
		return r;
	}
	*ret = tagger;
	return 0;
}

void tagger_close(struct tagger *tagger)
{
	if (!tagger)
		return;
	for (size_t i = 0; i < TAGGER_CLIENTS_MAX; i++)
		if (tagger->clients[i])
			tagger_client_free(tagger->clients[i]);
	sd_event_source_disable_unref(tagger->on_connect);
	sd_event_source_disable_unref(tagger->on_pause);
	sd_event_source_disable_unref(tagger->on_others);
	sd_event_source_disable_unref(tagger->on_hold);
	releaser_drop(tagger->releaser);
	if (tagger->fd.n >= 0)
		(void)unlink(tagger->path);
	fd_drop(&tagger->fd);
	sd_event_unref(tagger->event);
	free(tagger);
}
