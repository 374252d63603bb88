/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: varlink calls in, answers out. */
#pragma once

#include "daemon/method.h"

struct sd_event;
struct control;
struct porter;

/* Listen on @runtime_dir/org.outbind; @porter's gate reads those who are not root. 0 or -errno. */
MUST_CHECK int control_open(struct sd_event *event, struct agent *agent, const char *runtime_dir,
			    struct porter *porter, struct control **ret);
/*
 * control_wake - ask every stream that waits again, from the event loop and soon
 * To be called when something that some stream may wait for has happened; costs nothing if no
 * stream waits. Accepts NULL (agent->control where there is no socket).
 */
void control_wake(struct control *control);
void control_close(struct control *control);		/* accepts NULL; removes the socket */
