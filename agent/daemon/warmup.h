/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Warm-ups: started and paused by operators, moved on by the clock, counted by the kernel, kept in
 * the state directory. */
#pragma once

#include "daemon/agent.h"

#define WARMUP_USEC	1000000u		/* how often warmup_tick() is to be called */

enum warmup_act { WARMUP_START, WARMUP_PAUSE, WARMUP_RESUME };

/* Read the file. 0, or -EBADMSG with its line in @out. */
MUST_CHECK int warmup_load(struct agent *agent, struct outcome *out);

/*
 * warmup_act - start, pause or resume the warm-up of @binding
 * Kept in the file before the kernel has it. Returns 0, -EALREADY if it is so or not possible now
 * (said in @out), -EREMOTEIO or another errno in @out; then nothing has changed.
 */
MUST_CHECK int warmup_act(struct agent *agent, uint32_t binding, enum warmup_act act,
			  struct outcome *out);

/* What the kernel has counted, into memory: before a table goes, and when somebody asks. @model and
 * @plan say whose element is whose. */
void warmup_look(struct agent *agent, const struct model *model, const struct plan *plan);

/* The same, into the file: when the agent ends. */
void warmup_keep(struct agent *agent);

/* Go to the next day where one is over; give elements that were made anew what is left. Logs. */
void warmup_tick(struct agent *agent);
