/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Help text, made from the table of verbs. */
#pragma once

#include "verbs.h"

/*
 * help_about - explain one verb, the verbs of a group ("binding"), or the program
 * @verb:  NULL: the program or @group
 * @group: NULL: all verbs
 * Returns CTL_DONE.
 */
int help_about(FILE *out, const struct verb *verb, const char *group);
