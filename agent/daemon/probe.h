/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Active probes: does the other end answer what is sent from a binding's own address, or by an
 * uplink. What they find goes into the facts, so that a binding is unusable in the kernel as for
 * any other reason.
 */
#pragma once

#include "daemon/agent.h"

struct sd_event;
struct probes;

/*
 * Send the probes of the configuration in force, now and after every change of it. 0 or -errno.
 * Probes are spread over their interval, and at most PROBES_AT_ONCE wait for an answer.
 */
MUST_CHECK int probe_open(struct sd_event *event, struct agent *agent, struct probes **ret);
void probe_close(struct probes *probes);	/* accepts NULL */

/* Put what failed probes said, which is kept by name, into the facts, by index into @model. */
void probe_facts(struct agent *agent, const struct model *model);
void probe_drop(struct agent *agent);

/* Thresholds: so many in a row until the state changes. Zeroed: it works. */
struct probe_count {
	uint32_t in_row;			/* answers against the state, without another between */
	bool failing;
};

/* One more answer, or none; true if the state changed. */
bool probe_count(struct probe_count *count, const struct probe *probe, bool answered);
