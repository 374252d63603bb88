/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The removed cgroups whose sockets may live on (kernel/cgroups.h), over a restart of the agent. */
#pragma once

#include "daemon/agent.h"

/* What an earlier agent under this boot noted; before cgroups are followed. A file that cannot be read is
 * logged, and what is behind the first wrong line is not known. */
void former_load(struct agent *agent);

/* Note them, if there are others than before. They do not outlive a boot: it is not synced. */
void former_save(struct agent *agent);
