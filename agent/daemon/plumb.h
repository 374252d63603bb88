/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent puts on interfaces and into routing for the configuration: addresses of bindings
 * that name an interface (plumb.c, plumb_ask.c), and tables and rules of uplinks (plumb_uplinks.c,
 * plumb_routes.c). Both stay when the agent ends, and are told from what others added (plumb_state.c).
 *
 * Every function accepts an agent without plumbing and does nothing then.
 */
#pragma once

#include "daemon/agent.h"
#include "plan/finding.h"

struct plumb;

/* Take up what an earlier agent left; sets agent->plumb. A file that cannot be read is logged: what
 * it spoke of is then used, but never removed. */
void plumb_open(struct agent *agent);
void plumb_close(struct agent *agent);		/* everything stays in the kernel */

/* The facts as they will be when @fresh is prepared; the kernel is not touched. If @fresh comes to
 * nothing, call plumb_all(). */
void plumb_expect(struct agent *agent, const struct generation *fresh);

/*
 * plumb_prepare - make routes and rules of the uplinks of @fresh, before its plan leads there
 * Nothing of the configuration in force is removed. If @fresh comes to nothing, call plumb_all().
 */
void plumb_prepare(struct agent *agent, const struct generation *fresh);

/* The configuration in force is another one. */
void plumb_all(struct agent *agent);

/* The facts were read: restore what somebody deleted, before anything is judged by them. */
void plumb_facts(struct agent *agent);

/* When plumb_run() is to be called, in agent_clock()'s time; UINT64_MAX: when ears are readable. */
uint64_t plumb_due(const struct agent *agent);

/* Ask, announce, listen, add. True if the facts are others now: agent_refresh() is to be called. */
bool plumb_run(struct agent *agent);

/* Interfaces whose neighbours matter: up to @room indexes; returns how many. */
size_t plumb_gateways(const struct agent *agent, uint32_t *ret_links, size_t room);

/* The agent ends, and nothing of it is to stay: all that it added goes. */
void plumb_remove(struct agent *agent);

/* What is wrong with uplinks, each with the command that mends it: appended to @findings. */
void plumb_findings(const struct agent *agent, struct findings *findings);
