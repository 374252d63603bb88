/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A state that is not in force yet: read, numbered and compiled aside, so that whatever refuses it
 * leaves the running one as it was. Start, reload and changes at run time all go through here.
 */
#pragma once

#include "daemon/agent.h"

struct candidate {
	struct generation *generation; /* on the heap: cgroups keep a pointer to its model */
	struct numbers numbers;
	struct shares shares;
	bool numbers_changed, shares_changed;
	struct texts *texts;			/* of the files, read anew; NULL: those in force */
	struct overlay overlay;			/* set before candidate_make() */
	bool overlay_changed;			/* the file must be written */
};

void candidate_drop(struct candidate *candidate);

/*
 * candidate_read - the overlay on top of the files as the agent has them, numbered; no plan yet
 * @reload: read the files from the disk; overlay items that they say identically are dropped
 * Returns 0, or -EINVAL with the problems in @out.
 */
MUST_CHECK int candidate_read(struct agent *agent, struct candidate *candidate, bool reload,
			      struct outcome *out);

/* candidate_plan - compile it with the facts; from here on cgroups follow it: candidate_refuse().
 * 0 or a negative errno in @out. */
MUST_CHECK int candidate_plan(struct agent *agent, struct candidate *candidate,
			      struct outcome *out);

/* Addresses, routes and rules of the host, read again. 0 or -errno in @out. */
MUST_CHECK int candidate_facts(struct agent *agent, struct outcome *out);

/* Numbers and slots go to the disk before anything else. 0 or the errno of writing in @out. */
MUST_CHECK int candidate_save(const struct agent *agent, struct candidate *candidate,
			      struct outcome *out);

/* All of these: from the disk and the kernel to a plan. 0, or what one of them returned. */
MUST_CHECK int candidate_make(struct agent *agent, struct candidate *candidate,
			      struct outcome *out);

/*
 * candidate_commit - kernel, then the file of the overlay
 * Returns 0; -EBUSY or -EREMOTEIO as apply_plan(); or the errno of writing, and the kernel is taken
 * back. @out says why.
 */
MUST_CHECK int candidate_commit(struct agent *agent, struct candidate *candidate,
				struct outcome *out);

/* Put it in force; kernel and files have it already. @candidate gets what it replaces. */
void candidate_install(struct agent *agent, struct candidate *candidate, struct outcome *out);

/* It came to nothing: facts and cgroups are those of the state in force again. */
void candidate_refuse(struct agent *agent);
