/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may go wrong although nothing was refused: said at start, when it changes, and in status. */
#pragma once

#include "daemon/agent.h"

/* Line about the @index'th of the host's routing rules that look at our bits of the mark, or false
 * when there are no more. */
bool warn_overlap(const struct agent *agent, size_t index, char ret_text[static OUTCOME_TEXT]);

/* Log all overlaps. */
void warn_overlaps(const struct agent *agent);
