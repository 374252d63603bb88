/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the control socket: peers, and what the methods in other files need. */
#pragma once

#include "proto/varlink.h"
#include "relay/program.h"
#include "smtp/buffer.h"

struct explain;

struct control_peer {
	struct control *control;
	struct control_peer *next;
	struct fd fd;
	ev_io read, write;
	struct varlink_reader reader;
	struct buffer out;
	bool may_read;
	struct explain *explain;		/* being worked on; further calls wait */
};

struct control {
	struct program *program;
	struct fd fd;
	ev_io connect;
	struct control_peer *peers;
	unsigned n_peers;
	struct tagging *tagging;		/* for Explain */
	struct dns_resolver *resolver;
	struct socketmap *policy_map;		/* or NULL */
	uint64_t sources_of;			/* number of the generation that both are of */
};

/* Both take @parameters. */
void control_reply(struct control_peer *peer, json_t *parameters);
void control_error(struct control_peer *peer, const char *error, json_t *parameters);

/* The peer's Explain is over: calls that were read behind it have their turn, from the loop. */
void control_go_on(struct control_peer *peer);

/* control_status.c */
void control_status(struct control_peer *peer, json_t *in);
void control_metrics(struct control_peer *peer, json_t *in);
void control_info(struct control_peer *peer, json_t *in);
void control_describe(struct control_peer *peer, json_t *in);

/* control_explain.c */
void control_explain(struct control_peer *peer, json_t *in);
void control_explain_cancel(struct control_peer *peer);
void control_explain_start(struct control *control);
void control_explain_stop(struct control *control);
