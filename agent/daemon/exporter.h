/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets at which figures are read, and the program that serves them: outbind-exporter, which has
 * no right at all and gets finished texts. See docs/design.md, Metrics.
 */
#pragma once

#include "daemon/agent.h"

struct sd_event;
struct exporter;

/* Make the sockets that the configuration in force says, and start the program; SIGCHLD is blocked. What
 * fails is logged and tried again: no figure is worth an agent that does not start. 0, or -errno of the
 * event loop. */
MUST_CHECK int exporter_open(struct sd_event *event, struct agent *agent, struct exporter **ret);
void exporter_close(struct exporter *exporter);		/* accepts NULL */

/* The configuration in force may be another one; accepts NULL. */
void exporter_follow(struct exporter *exporter);
