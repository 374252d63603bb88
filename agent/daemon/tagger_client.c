/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One peer of the tag socket: take one message with its descriptors, answer, close every descriptor that
 * came. What is written in the message is read here only if root wrote it; else a gate looks at it and
 * says what it asks for, while the message stays in its connection, and is taken from there, unread. So
 * what the gate says is about this peer's socket and this peer's right, whatever it says. The relay has
 * a gate of its own: what strangers do to theirs does not reach its sockets.
 *
 * A peer that does not read its replies is dropped. One that asks too often is told so, and its next
 * request is not looked at before the next tick: what is refused costs something too.
 */
#include "daemon/tagger_parts.h"

#include "daemon/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { MESSAGES_AT_ONCE = 32, FDS_MAX = 253, HOLD_USEC = 50000 };

static const struct rate_limit of_user = { .per_second = 2000, .burst = 4000 },
			       of_relay = { .per_second = 50000, .burst = 100000 };

void tagger_client_free(struct client_peer *client)
{
	for (size_t i = 0; i < TAGGER_CLIENTS_MAX; i++) {
		if (client->tagger->clients[i] != client)
			continue;
		client->tagger->clients[i] = NULL;
		client->tagger->agent->doors.tags.peers--;
	}
	if (client->id)
		porter_leave(client->porter, client->id);
	sd_event_source_disable_unref(client->on_io);
	credentials_drop(&client->peer.credentials);
	visitor_drop(&client->peer.visitor);
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
	    log_allowed(&client->tagger->log))
		log_event(EVENT_TAG_DENIED, "pid=%d uid=%u reply=%s", client->peer.credentials.pid,
			  client->peer.credentials.uid, log_quote(reply, quoted));
}

void tagger_client_tell(struct client_peer *client)
{
	bool owed = client->owes_change;

	client->owes_change = send(client->fd.n, TAG_CHANGED, sizeof TAG_CHANGED - 1,
				   MSG_DONTWAIT | MSG_NOSIGNAL) < 0;
	if (owed == client->owes_change)
		return;
	if (client->porter)			/* be woken when it has read */
		(void)sd_event_source_set_enabled(client->on_io, client->owes_change ?
						  SD_EVENT_ON : SD_EVENT_OFF);
	else
		(void)sd_event_source_set_io_events(client->on_io, client->owes_change ?
						    EPOLLIN | EPOLLOUT : EPOLLIN);
}

bool tagger_client_take_rate(struct client_peer *client)
{
	const struct tag_peer *peer = &client->peer;
	struct tagger *tagger = client->tagger;
	uid_t uid = peer->credentials.uid;
	bool may = uid == 0 || rate_take(&tagger->rates, peer->trusted ? of_relay : of_user, uid,
					 agent_clock());

	tagger->agent->doors.tags.limited += !may;
	return may;
}

size_t tagger_client_too_many(const struct tag_peer *peer, char reply[static TAG_REPLY_MAX])
{
	return (size_t)snprintf(reply, TAG_REPLY_MAX, TAG_REPLY_ERROR TAG_TOO_MANY
				" more than %u requests a second by user %u",
				(peer->trusted ? of_relay : of_user).per_second,
				peer->credentials.uid);
}

static size_t answer_request(struct client_peer *client, const struct tag_request *request,
			     const struct fd *fd, size_t n_fds, char reply[static TAG_REPLY_MAX])
{
	struct tagger *tagger = client->tagger;

	if (!tagger_client_take_rate(client)) {
		client->held = client->porter != NULL;
		(void)sd_event_source_set_time_relative(tagger->on_hold, HOLD_USEC);
		(void)sd_event_source_set_enabled(tagger->on_hold, SD_EVENT_ONESHOT);
		return tagger_client_too_many(&client->peer, reply);
	}
	if (request->kind == TAG_REQUEST_WATCH)
		client->watches = true;
	return tag_answer(tagger->agent, &client->peer, request, fd, n_fds, reply);
}

/*
 * Take one message with its descriptors and answer it. @request: what the gate found in it, and then its
 * bytes are not looked at; NULL: they are. 1 answered, 0 none waits, -errno: drop the peer.
 */
static int answer_one(struct client_peer *client, const struct tag_request *request)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
		struct cmsghdr align;
	} control;
	char bytes[TAG_REQUEST_MAX + 1], reply[TAG_REPLY_MAX];
	struct iovec part = { bytes, request ? 1 : sizeof bytes };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	ssize_t n = recvmsg(client->fd.n, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct tag_request read_here;
	size_t n_fds, n_taken, len = 0;
	int fds[FDS_MAX];
	struct fd fd;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	n_fds = take_fds(&message, fds, &n_taken);
	fd.n = n_taken > 0 ? fds[0] : -1;	/* lent; all are closed below */
	if (!request && n > 0)			/* a longer message fills the buffer, and is too long */
		tag_request_read(bytes, (size_t)n, &read_here);
	if (n > 0)
		len = answer_request(client, request ? request : &read_here, &fd, n_fds, reply);
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
	if (client->porter) {			/* there is room again for what it is owed */
		if (revents & (EPOLLHUP | EPOLLERR))
			tagger_client_free(client);
		return 0;			/* on_others() sends it */
	}
	for (int i = 0; i < MESSAGES_AT_ONCE && r == 1; i++)
		r = releaser_is_full(client->tagger->releaser) ? -EBUSY : answer_one(client, NULL);
	if (r < 0)
		tagger_client_free(client);
	return 0;
}

static void ask_next(struct client_peer *client)
{
	if (!client->asking || client->held)
		return;
	client->asking = false;
	porter_next(client->porter, client->id);
}

/* The request is one of this connection; the descriptors are those that wait in it. */
static void on_gate(void *owner, const struct gate_message *message)
{
	struct client_peer *client = owner;
	bool full = releaser_is_full(client->tagger->releaser);

	if (message->word != GATE_TAG || client->asking || full) {
		tagger_client_free(client);
		return;
	}
	client->asking = true;
	if (answer_one(client, &message->request) <= 0)
		tagger_client_free(client);		/* gone, or nothing was there to be looked at */
	else
		ask_next(client);
}

void tagger_client_release(struct client_peer *client)
{
	client->held = false;
	ask_next(client);
}

int tagger_client_serve(struct client_peer *client)
{
	struct tagger *tagger = client->tagger;
	bool here = client->peer.credentials.uid == 0;
	int r = sd_event_add_io(tagger->event, &client->on_io, client->fd.n,
				here ? EPOLLIN : EPOLLOUT, on_io, client);

	if (r < 0 || here)
		return r < 0 ? r : 0;
	client->porter = client->peer.trusted ? tagger->relays : tagger->strangers;
	r = sd_event_source_set_enabled(client->on_io, SD_EVENT_OFF);
	return r < 0 ? r : porter_admit(client->porter, GATE_OPEN_TAG, client->fd.n, on_gate,
					client, &client->id);
}
