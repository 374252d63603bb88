/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Peers of the tag socket: accept, receive one message with its descriptors, answer, close every
 * descriptor that came. Anybody may connect, so all is bounded: peers in total and by user,
 * messages a wake-up, lines in the log; a peer that does not read its replies is dropped.
 *
 * Rights are those of connect(2) time. The cgroup of a peer is read by its pid right after accept;
 * where the kernel has SO_PEERPIDFD (6.5) a recycled pid is noticed, else a process that connects
 * and exits at once could be taken for the one that gets its number.
 */
#include "daemon/tagger.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/release.h"
#include "daemon/tag.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <time.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77				/* Linux 6.5 */
#endif

/* Of the trusted: each worker of the relay has a connection. */
enum { CLIENTS_MAX = 768, CLIENTS_OF_TRUSTED = 512, CLIENTS_PER_USER = 32, MESSAGES_AT_ONCE = 32,
       ACCEPTS_AT_ONCE = 16, FDS_MAX = 253, LOGS_PER_SECOND = 10, FULL_PAUSE_USEC = 200000 };

struct client_peer {
	struct tagger *tagger;
	struct fd fd;
	sd_event_source *on_io;
	struct tag_peer peer;
	bool watches, owes_change;		/* WATCH; a notice that found no room */
};

struct tagger {
	struct agent *agent;
	sd_event *event;
	struct fd fd;
	sd_event_source *on_connect, *on_pause, *on_others;
	uint64_t changes;			/* of the agent, that watchers know */
	bool owes_changes;			/* ... but for some that have not read */
	struct releaser *releaser;
	struct client_peer *clients[CLIENTS_MAX];
	bool has_relay;
	uid_t relay;
	time_t log_second;
	unsigned logged;			/* in that second */
	char path[PATH_MAX];
};

static bool may_log(struct tagger *tagger)
{
	time_t now = time(NULL);

	if (now != tagger->log_second)
		tagger->logged = 0;
	tagger->log_second = now;
	return tagger->logged++ < LOGS_PER_SECOND;
}

static void client_free(struct client_peer *client)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (client->tagger->clients[i] == client)
			client->tagger->clients[i] = NULL;
	sd_event_source_disable_unref(client->on_io);
	credentials_drop(&client->peer.credentials);
	free(client->peer.cgroup);
	releaser_close(client->tagger->releaser, &client->fd.n, 1, true);
	free(client);
}

/* All descriptors of @message into @ret; returns their number, and more than one if some were lost. */
static size_t take_fds(struct msghdr *message, int ret[static FDS_MAX], size_t *ret_n)
{
	size_t n = 0;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part;
	     part = CMSG_NXTHDR(message, part)) {
		size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		if (count > FDS_MAX - n)
			count = FDS_MAX - n;	/* the buffer has no room for more */
		memcpy(ret + n, CMSG_DATA(part), count * sizeof(int));
		n += count;
	}
	*ret_n = n;
	return message->msg_flags & MSG_CTRUNC ? n + 2 : n;
}

static void log_refusal(struct client_peer *client, const char *reply)
{
	char quoted[LOG_TEXT];

	if (strncmp(reply, TAG_REPLY_ERROR TAG_DENIED, sizeof TAG_REPLY_ERROR TAG_DENIED - 1) ==
		    0 &&
	    may_log(client->tagger))
		log_event(EVENT_TAG_DENIED, "pid=%d uid=%u reply=%s", client->peer.credentials.pid,
			  client->peer.credentials.uid, log_quote(reply, quoted));
}

/* Tell a watcher, now or when it has read: several changes are one notice. */
static void tell_change(struct client_peer *client)
{
	bool owed = client->owes_change;

	client->owes_change = send(client->fd.n, TAG_CHANGED, sizeof TAG_CHANGED - 1,
				   MSG_DONTWAIT | MSG_NOSIGNAL) < 0;
	if (owed != client->owes_change)	/* be woken when it has read */
		(void)sd_event_source_set_io_events(client->on_io, client->owes_change ?
						    EPOLLIN | EPOLLOUT : EPOLLIN);
}

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
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client_peer *client = tagger->clients[i];

		if (client && client->watches && (changed || client->owes_change))
			tell_change(client);
		tagger->owes_changes |= client && client->owes_change;
	}
	return 0;
}

static bool is_watch(const char *request, size_t len)
{
	return len == sizeof TAG_WATCH - 1 && memcmp(request, TAG_WATCH, len) == 0;
}

static size_t answer_request(struct client_peer *client, const char *request, size_t len,
			     const struct fd *fd, size_t n_fds, char reply[static TAG_REPLY_MAX])
{
	if (!is_watch(request, len))
		return tag_answer(client->tagger->agent, &client->peer, request, len, fd, n_fds,
				  reply);
	client->watches = true;
	return (size_t)snprintf(reply, TAG_REPLY_MAX, "%s", TAG_REPLY_OK "binding=-");
}

/* One message: 1 answered, 0 none waits, -errno: drop the peer. */
static int answer_one(struct client_peer *client)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
		struct cmsghdr align;
	} control;
	char request[TAG_REQUEST_MAX + 1], reply[TAG_REPLY_MAX];
	struct iovec part = { request, sizeof request };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	ssize_t n = recvmsg(client->fd.n, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	size_t n_fds, n_taken, len;
	int fds[FDS_MAX];
	struct fd fd;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	n_fds = take_fds(&message, fds, &n_taken);
	fd.n = n_taken > 0 ? fds[0] : -1;	/* lent; all are closed below */
	/* A message longer than the buffer fills it, which is longer than a request can be. */
	len = n == 0 ? 0 : answer_request(client, request, (size_t)n, &fd, n_fds, reply);
	releaser_close(client->tagger->releaser, fds, n_taken, false);
	if (n == 0)
		return -ECONNRESET;
	log_refusal(client, reply);
	if (send(client->fd.n, reply, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 1;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct client_peer *client = context;
	int r = 1;

	(void)source;
	(void)fd;
	(void)revents;
	for (int i = 0; i < MESSAGES_AT_ONCE && r == 1; i++)
		r = releaser_is_full(client->tagger->releaser) ? -EBUSY : answer_one(client);
	if (r < 0)
		client_free(client);
	return 0;
}

/* True while the process that connected has not exited, or where that cannot be told. */
static bool is_alive(const struct fd *pidfd)
{
	struct pollfd poll_one = { .fd = pidfd->n, .events = POLLIN };

	return pidfd->n < 0 || poll(&poll_one, 1, 0) == 0;
}

static char *cgroup_of(const struct tagger *tagger, int fd, int pid)
{
	AUTO(fd_drop) struct fd pidfd = FD_NONE;
	socklen_t size = sizeof pidfd.n;
	char *path = NULL;

	if (!tagger->agent->cgroups || pid <= 0)
		return NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd.n, &size) < 0) {
		pidfd = FD_NONE;
		if (errno != ENOPROTOOPT)
			return NULL;		/* it exited: nothing is known of it any more */
	}
	if (cgroups_of_process(tagger->agent->cgroups, pid, &path) < 0)
		return NULL;
	if (is_alive(&pidfd))
		return path;
	free(path);
	return NULL;
}

/* A free place for a peer like @peer, or CLIENTS_MAX. */
static size_t find_place(const struct tagger *tagger, const struct tag_peer *peer)
{
	size_t n = 0, of_user = 0, place = CLIENTS_MAX;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		const struct client_peer *client = tagger->clients[i];

		if (!client)
			place = i;
		n += client != NULL;
		of_user += client && client->peer.credentials.uid == peer->credentials.uid;
	}
	if (!peer->trusted &&
	    (of_user >= CLIENTS_PER_USER || n >= CLIENTS_MAX - CLIENTS_OF_TRUSTED))
		return CLIENTS_MAX;
	return place;
}

static void add_client(struct tagger *tagger, struct client_peer *client)
{
	size_t place = find_place(tagger, &client->peer);

	if (place == CLIENTS_MAX) {
		if (may_log(tagger))
			log_event(EVENT_TAG_FULL, "uid=%u next=closed",
				  client->peer.credentials.uid);
		client_free(client);
		return;
	}
	client->peer.cgroup = cgroup_of(tagger, client->fd.n, client->peer.credentials.pid);
	if (sd_event_add_io(tagger->event, &client->on_io, client->fd.n, EPOLLIN, on_io, client) <
	    0)
		client_free(client);
	else
		tagger->clients[place] = client;
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
	if (peer_credentials(client->fd.n, &client->peer.credentials) < 0) {
		client_free(client);
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
	if (may_log(tagger))
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
	if (r < 0 && r != -EAGAIN && r != -ECONNABORTED && r != -EINTR && may_log(tagger))
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
		r = sd_event_add_post(tagger->event, &tagger->on_others, on_others, tagger);
	if (r < 0)
		return r;
	log_event(EVENT_TAG_LISTENING, "path=%s relay=%s", tagger->path,
		  tagger->has_relay ? "outbind-relay" : "-");
	return 0;
}

int tagger_open(struct sd_event *event, struct agent *agent, const char *runtime_dir,
		struct tagger **ret)
{
	struct tagger *tagger = mem_zero(1, sizeof *tagger);
	int r;

	tagger->agent = agent;
	tagger->event = sd_event_ref(event);
	tagger->fd = FD_NONE;
	tagger->releaser = releaser_new();
	tagger->has_relay = peer_user_id("outbind-relay", &tagger->relay) == 0;
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
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (tagger->clients[i])
			client_free(tagger->clients[i]);
	sd_event_source_disable_unref(tagger->on_connect);
	sd_event_source_disable_unref(tagger->on_pause);
	sd_event_source_disable_unref(tagger->on_others);
	releaser_drop(tagger->releaser);
	if (tagger->fd.n >= 0)
		(void)unlink(tagger->path);
	fd_drop(&tagger->fd);
	sd_event_unref(tagger->event);
	free(tagger);
}
