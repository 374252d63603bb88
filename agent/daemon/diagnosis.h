/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host, read in a thread of its own: the kernel takes long to list thousands of others' rules, and
 * the agent goes on meanwhile. One reading at a time; who asks while one runs gets the next.
 */
#pragma once

#include "daemon/agent.h"
#include "plan/host.h"

struct sd_event;
struct diagnosis;

/* 0 or -errno. Sets agent->diagnosis. */
MUST_CHECK int diagnosis_open(struct sd_event *event, struct agent *agent);
void diagnosis_close(struct agent *agent);	/* waits for a reading that runs; accepts none */

/* Ask for a reading that begins from now on; its number, for diagnosis_host(). */
uint64_t diagnosis_want(struct diagnosis *diagnosis);

/* What was read by @number or later, borrowed until the next call or event; NULL: not yet, and
 * control_wake() is called when it is. */
const struct host *diagnosis_host(const struct diagnosis *diagnosis, uint64_t number);
