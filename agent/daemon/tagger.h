/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tag socket: programs without privileges have their sockets marked. See proto/tag.h. */
#pragma once

#include "daemon/agent.h"

struct sd_event;
struct tagger;
struct porter;

/* Listen on @runtime_dir/tag. @relays: NULL if there is no user outbind-relay. 0 or -errno. */
MUST_CHECK int tagger_open(struct sd_event *event, struct agent *agent, const char *runtime_dir,
			   struct porter *strangers, struct porter *relays, struct tagger **ret);
void tagger_close(struct tagger *tagger);		/* accepts NULL; removes the socket */
