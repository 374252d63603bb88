/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of one `outbindctl capture`: made on a socket of its own, which owns it, so it goes when
 * that is closed, whatever happened to the agent. */
#pragma once

#include "kernel/channel.h"
#include "kernel/kernel.h"

/*
 * capture_start - log what @wanted says, from now until capture_end()
 * @channel: of the agent, for compiling the rules
 * @table:   name of the agent's own table
 *
 * Returns 0; -EEXIST: a capture by this netlink group runs already; or another errno, with words in
 * @reterr.
 */
MUST_CHECK int capture_start(struct channel *channel, const char *table,
			     const struct capture_wanted *wanted, struct capture **ret,
			     struct kernel_error *reterr);
void capture_end(struct capture *capture);		/* accepts NULL */
