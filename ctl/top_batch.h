/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots of `outbindctl top` without a terminal. */
#pragma once

#include "ctl.h"
#include "top_feed.h"

/*
 * top_batch - print @n snapshots, @interval seconds apart; 0: until interrupted
 * One look goes before them, for rates. With ctl->json an object a line: RankBindings' reply.
 */
MUST_CHECK int top_batch(struct ctl *ctl, const struct top_query *query, double interval,
			 unsigned long n);
