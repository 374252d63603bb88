/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection as the interface has it: type Flow of org.outbind.varlink. */
#pragma once

#include "daemon/method.h"
#include "daemon/follow.h"

/* @event: as of now; what its verdict and names need is looked up in what is in force. */
json_t *flow_json(struct agent *agent, const struct follow_event *event);

/* The name of a protocol ("tcp"), or its number as text, in @out. */
const char *flow_protocol(uint8_t protocol, char out[static 8]);
