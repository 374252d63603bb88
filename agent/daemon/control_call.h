/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One varlink message to one answer or stream. No sockets: tests call it directly. */
#pragma once

#include "daemon/method.h"
#include "gate/gate_message.h"

/* What becomes of a message. */
struct reply {
	json_t *message;			/* to be sent; NULL: oneway, or the stream waits */
	struct stream *stream;			/* more answers follow: control_call_next() */
};

/*
 * control_call - run @message for a peer with @right
 * Returns 0, or -EBADMSG for what is not a call; then the peer is not worth answering.
 */
MUST_CHECK int control_call(struct agent *agent, enum peer_right right, const json_t *message,
			    struct reply *ret);

/* The same for a call that the gate has read: it is checked again. -EBADMSG: no gate of ours says that. */
MUST_CHECK int control_call_gated(struct agent *agent, enum peer_right right,
				  const struct gate_call *call, struct reply *ret);

/* The next answer of a stream; *ret_last if it was the last one. NULL: it has nothing yet. */
json_t *control_call_next(struct agent *agent, struct stream *stream, bool *ret_last);
