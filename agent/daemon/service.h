/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent as a service: asked by signals, and telling the service manager how it stands (sd_notify(3)). */
#pragma once

#include "daemon/agent.h"

struct sd_event;

/* Before any thread is made: signals wait for the loop, and those of a failed write are its error alone. */
void service_block_signals(void);

/* SIGTERM and SIGINT end service_run(), SIGHUP reloads. 0 or -errno. */
MUST_CHECK int service_listen(struct sd_event *event, struct agent *agent);

/* Serve until asked to stop, fed to the watchdog. 0 or -errno of the loop. */
MUST_CHECK int service_run(struct sd_event *event, struct agent *agent);
