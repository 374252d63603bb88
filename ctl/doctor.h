/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings of the agent, or of what can be seen without one. */
#pragma once

#include "ctl.h"

#include <jansson.h>

/* What Diagnose answers, from the agent or made up here. CTL_DONE, or the exit code of a refusal that was
 * reported. @config: the configuration that is judged where no agent answers. */
MUST_CHECK int doctor_ask(struct ctl *ctl, const char *config, json_t **ret_reply);

/* The same without an agent. @denied: there is one, and it may not be asked. */
json_t *doctor_alone(const struct ctl *ctl, const char *config, bool denied);

/* Look at the clock, which the agent could not: one more finding in @reply, if it is wrong. */
void doctor_add_clock(json_t *reply);
