/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the agent looks again: notices of the kernel, cgroups, and a periodic audit. */
#pragma once

#include "daemon/agent.h"

struct sd_event;
struct watch;

/* Subscribe; the agent may not have started yet. 0 or -errno. */
MUST_CHECK int watch_open(struct sd_event *event, struct agent *agent, struct watch **ret);
void watch_close(struct watch *watch);			/* accepts NULL */
