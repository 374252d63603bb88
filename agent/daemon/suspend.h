/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the operator suspended: by name in the overlay, by binding in the facts. */
#pragma once

#include "daemon/agent.h"

/* Set the facts' flags for the bindings of @model. Other names wait for their binding. */
void suspend_facts(struct agent *agent, const struct model *model, const struct overlay *overlay);

/*
 * suspend_binding - refuse new connections of @binding from now on, or no longer; live ones go on
 * Kept in a file before it returns, so that it outlives reloads and restarts. Nothing to do if it
 * is so already. Returns 0, -EREMOTEIO or another errno in @out; then nothing has changed.
 */
MUST_CHECK int suspend_binding(struct agent *agent, uint32_t binding, bool on,
			       struct outcome *out);
