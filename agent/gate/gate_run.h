/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate: a process of outbindd that reads what peers without privilege write, and can do nothing else. */
#pragma once

#include "base/own.h"

enum { GATE_CONNECTIONS_MAX = 1024 };		/* a connection's place is its id modulo this */

#define GATE_OPTION "--gate"			/* the only argument; not for people */

/* Run until the agent closes the link; returns the exit status. */
int gate_run(void);
