/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What usually goes wrong, judged: facts in, findings out. Pure, so the agent and a tool without an
 * agent say the same. Each function appends to @findings; what is not known is not judged.
 */
#pragma once

#include "plan/finding.h"
#include "plan/host.h"
#include "plan/plan.h"

struct doctor {					/* borrowed */
	const struct model *model;
	const struct facts *facts;
	const struct plan *plan;		/* what they were compiled to */
	const struct host *host;
	const char *table;			/* ours, for commands */
	uint64_t dropped_guard;			/* first packets that others translated: kernel_counters */
	const char *refused;			/* "acme from 192.0.2.1, ...", of the last minute; NULL: none */
	uint64_t wrong;				/* connections that left with a source that is not theirs */
};

/* Routing rules of others that look at our bits of the mark. Needs no host. */
void doctor_rules(const struct doctor *doctor, struct findings *findings);

/* The same of packet filter rules; and those that rewrite sources, or stop connection tracking. */
void doctor_foreign(const struct doctor *doctor, struct findings *findings);

/* Bindings, groups and uplinks that cannot carry what they have addresses for. Needs no host. */
void doctor_bindings(const struct doctor *doctor, struct findings *findings);

/* Settings of the kernel. */
void doctor_system(const struct doctor *doctor, struct findings *findings);

/* Its clock: by itself, as a sandbox may keep who knows the rest from asking. */
void doctor_clock(enum host_clock clock, struct findings *findings);

/* Who may write what only root should, who may connect. */
void doctor_files(const struct doctor *doctor, struct findings *findings);

/* Priorities of chains of ours, in nft-templates/outbind.nft; the guard is behind all that is there. */
enum { DOCTOR_PRIORITY_POLICY = -160, DOCTOR_PRIORITY_NAT = 90,
       DOCTOR_PRIORITY_GUARD = 2147483640 };
