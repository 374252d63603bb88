/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection that ended as a line of the flow log. Pure. */
#pragma once

#include "daemon/follow.h"

#include <time.h>

enum { FLOW_RECORD = 1024 };			/* of the longest one; see flow_record_print() */

/*
 * flow_record_print - a JSON object and a newline
 * @binding: its name, or NULL
 * @tagged:  our bits of its socket's mark are set
 * @missed:  records that are missing before this one
 * @now:     when it ended, unless the kernel says it better
 * Returns its length. Nothing in it needs escaping but the name, which is cut if it should not fit.
 */
size_t flow_record_print(const struct follow_event *event, const char *binding, bool tagged,
			 uint64_t missed, const struct timespec *now,
			 char out[static FLOW_RECORD]);
