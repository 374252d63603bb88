/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the control socket: control.c lets peers in, control_peer.c serves them. */
#pragma once

#include "daemon/control_call.h"
#include "daemon/porter.h"
#include "daemon/rate.h"
#include "proto/varlink.h"

#include <limits.h>
#include <systemd/sd-event.h>

enum { CONTROL_PEERS_MAX = 64, CONTROL_PEERS_PER_USER = 16 };	/* the second not for root */

struct peer {
	struct control *control;
	struct fd fd;
	sd_event_source *on_io;			/* of one that the gate reads: only while it writes */
	enum peer_right right;
	uid_t uid;
	struct varlink_reader reader;		/* root's; others are read by the gate: */
	uint64_t gated;				/* id there, or 0 */
	bool asking;				/* the gate waits for porter_next() */
	bool held;				/* ... until control->on_hold, having asked too often */
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
	sd_event_source *on_connect, *on_hold;
	struct porter *porter;
	struct rates rates;
	struct peer *peers[CONTROL_PEERS_MAX];
	gid_t readers;				/* group outbind, or -1 */
	uid_t reporter;				/* user outbind-dns, or -1 */
	uint64_t clock;				/* counts calls and connects */
	char path[PATH_MAX];
};

/* May @uid go on? Counts it if not. Root always may. */
bool control_take_rate(struct control *control, uid_t uid);

/* What it is told if not. */
json_t *control_too_many(uid_t uid);

/* Begin to serve a peer with descriptor, right and uid. 0, or -errno: the caller frees it. */
MUST_CHECK int control_peer_serve(struct peer *peer);
/* Its stream may have something to say. */
void control_peer_wake(struct peer *peer);
/* End of the time that it was held. */
void control_peer_release(struct peer *peer);
void control_peer_free(struct peer *peer);
