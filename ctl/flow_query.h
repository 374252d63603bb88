/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of connections is asked for on a command line: of a client, to a destination. */
#pragma once

#include "ctl.h"
#include "owner.h"

#include <jansson.h>

enum flow_client { CLIENT_ANY, CLIENT_PID, CLIENT_UNIT, CLIENT_CGROUP_PATH };

struct flow_query {				/* what the agent does not know, and is looked at here */
	enum flow_client kind;
	int pid;
	const char *text;			/* borrowed from the command line */
};

/*
 * Read "user:NAME", "uid:N", "source:PREFIX" (into @parameters, for the agent), "pid:N", "unit:NAME" or
 * "cgroup:PATH" (into *@ret). CTL_USAGE with a complaint.
 */
MUST_CHECK int flow_query_client(struct ctl *ctl, const char *text, json_t *parameters,
				 struct flow_query *ret);

/* "ADDR", "ADDR:PORT", "[ADDR]:PORT" or a prefix, into @parameters as to and port. */
MUST_CHECK int flow_query_to(struct ctl *ctl, const char *text, json_t *parameters);

/* Is it one; after owners_add(). */
bool flow_query_takes(const struct flow_query *query, const struct owners *owners,
		      const json_t *flow);
