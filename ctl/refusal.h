/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors that the agent answered, in words that name what to do. */
#pragma once

#include "ctl.h"

#include <jansson.h>

/*
 * refusal_report - say on ctl->err what the agent refused
 * @error:      full varlink name
 * @parameters: may be NULL
 *
 * With --json the error also goes to ctl->out as {"error": ..., "parameters": ...}.
 * Returns the exit code.
 */
int refusal_report(const struct ctl *ctl, const char *error, const json_t *parameters);

/* Problems of a configuration on ctl->err: "place: text", warnings marked as such, and with the
 * line itself if it is of the text that was sent (see excerpt.h). */
void refusal_print_problems(const struct ctl *ctl, const json_t *problems);
