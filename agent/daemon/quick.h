/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One binding added, changed or removed without reading and compiling everything anew: what must be
 * quick among very many bindings. edit.c tries this first.
 */
#pragma once

#include "daemon/edit.h"

struct quick;

void quick_free(struct quick *quick);			/* accepts NULL */

/*
 * quick_edit - do what @items say in place, if it is one binding that touches no other thing
 *
 * The binding, as it was and as it will be, has addresses and may have `ehlo` and `allow`, and nothing
 * else: no interface, uplink, limits, probe, sender-domain, `require`, stand-in or routed prefix. No
 * group has it for a member, no other binding leads to it, and if it is removed no rule uses it and it
 * is not the last one. It is not called `default`. Its addresses are no other binding's. No routed
 * prefix is configured, no command runs by `outbindctl exec`, and the host has few routing rules and
 * AnyIP prefixes.
 *
 * Connections that it leaves behind are not counted: that takes longer than all the rest.
 * Returns 1 if it is done, 0 if it cannot be done here (nothing has changed), or what edit_apply()
 * returns if kernel or disk refuse it.
 */
MUST_CHECK int quick_edit(struct agent *agent, const struct items *items,
			  struct edit_report *report, struct outcome *out);
