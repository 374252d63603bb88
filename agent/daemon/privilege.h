/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's own capabilities. */
#pragma once

#include "base/own.h"

#include <jansson.h>
#include <stdbool.h>

/* Can it do what it is for: CAP_NET_ADMIN, in effect. */
bool privilege_sufficient(void);

/* What is executed by us gets none of our capabilities, from now on. */
void privilege_keep(void);

/* All is open that needs more: this thread, and those that it starts, keep what the running agent needs, for
 * good. 0 or -errno. */
MUST_CHECK int privilege_reduce(void);

/* Names of the capabilities that are in effect, asked of the kernel now: "net_admin". */
json_t *privilege_json(void);
