/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ruleset generation at which our table was last known to be what we wrote. */
#pragma once

#include "daemon/agent.h"

/* Remember @generation for the next agent; nothing to do if it is remembered already. */
void seen_note(struct agent *agent, uint32_t generation);

/* The same, with the generation read now: after a transaction of ours. */
void seen_note_now(struct agent *agent);

/* Has nobody changed any ruleset of this network namespace since the last agent's note? */
bool seen_same(const struct agent *agent, uint32_t generation);

/* A line that names this boot and this network namespace. */
enum { SEEN_PLACE = 64 };
void seen_place(char out[static SEEN_PLACE]);
