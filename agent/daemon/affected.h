/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose live connections an edit leaves behind with another address than they would get now. */
#pragma once

#include "daemon/edit.h"

/*
 * affected_count - fill report->affected from report->changes
 * @fresh: the model after the edit
 *
 * Bindings that go away, whose addresses change, or that a rule which changes or goes away used.
 * Only those with connections are listed. If they cannot be counted none is, and it is logged.
 */
void affected_count(struct agent *agent, const struct model *fresh, struct edit_report *report);
