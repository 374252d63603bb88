/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events of the agent: following and printing them. */
#pragma once

#include "agent.h"

/* Hand each event to @each until the agent goes; the first is monitor.started. CTL_UNREACHABLE
 * then, as nothing else ends it. */
MUST_CHECK int event_follow(struct ctl *ctl, agent_reply *each, void *context);

/* One line: local time, event and fields; with --json the object. */
void event_print(const struct ctl *ctl, const json_t *event);

/* Value of a field, or "". */
const char *event_field(const json_t *event, const char *name);
