/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the tag socket: tagger.c lets peers in, tagger_client.c serves them. */
#pragma once

#include "daemon/porter.h"
#include "daemon/rate.h"
#include "daemon/release.h"
#include "daemon/tag.h"

#include <limits.h>
#include <systemd/sd-event.h>

/* Of the trusted: each worker of the relay has a connection. */
enum { TAGGER_CLIENTS_MAX = 768, TAGGER_OF_TRUSTED = 512, TAGGER_PER_USER = 32 };

struct client_peer {
	struct tagger *tagger;
	struct fd fd;
	sd_event_source *on_io;			/* of one that a gate reads: only to write */
	struct porter *porter;			/* NULL: root, which is read here */
	uint64_t id;				/* there, or 0 */
	bool asking, held;			/* porter_next() is due; ... but not before on_hold */
	struct tag_peer peer;
	bool watches, owes_change;		/* WATCH; a notice that found no room */
};

struct tagger {
	struct agent *agent;
	sd_event *event;
	struct fd fd;
	sd_event_source *on_connect, *on_pause, *on_others, *on_hold;
	struct porter *strangers, *relays;
	uint64_t changes;			/* of the agent, that watchers know */
	bool owes_changes;			/* ... but for some that have not read */
	struct releaser *releaser;
	struct client_peer *clients[TAGGER_CLIENTS_MAX];
	bool has_relay;
	uid_t relay;
	struct log_budget log;
	struct rates rates, searches;		/* requests; searches (tag_allow.c) */
	char path[PATH_MAX];
};

/* May this user ask, or connect, once more. Counts it if not; root always may. */
bool tagger_client_take_rate(struct client_peer *client);

/* What it is told if not; returns the length. */
size_t tagger_client_too_many(const struct tag_peer *peer, char reply[static TAG_REPLY_MAX]);

/* Begin to listen to it: here if it is root, else by the gate of its kind. 0, or -errno: the caller frees
 * it. */
MUST_CHECK int tagger_client_serve(struct client_peer *client);

/* Tell a watcher, now or when it has read: several changes are one notice. */
void tagger_client_tell(struct client_peer *client);

/* End of the time that it was held. */
void tagger_client_release(struct client_peer *client);
void tagger_client_free(struct client_peer *client);
