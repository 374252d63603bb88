/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may go wrong although nothing was refused: said at start, when it changes, in status, by doctor. */
#pragma once

#include "daemon/agent.h"
#include "plan/doctor.h"

/* What doctor.h judges, but for the host. */
struct doctor warn_doctor(const struct agent *agent);

/* All that is known without looking at the host anew: appended to @findings. */
void warn_findings(const struct agent *agent, struct findings *findings);

/* Log all routing rules that look at our bits of the mark. */
void warn_overlaps(const struct agent *agent);
