/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a connection has a source that is its binding's own. The plan in force says what is; what
 * was until it changed is remembered, because live connections keep the source they began with.
 */
#pragma once

#include "daemon/agent.h"
#include "plan/diff.h"

enum source_verdict {
	SOURCE_OWN,				/* one that its binding may leave from now */
	SOURCE_FORMER,				/* it was until a change, or nobody knows since when */
	SOURCE_WRONG,
	SOURCE_NOBODYS,				/* its number stands for no binding any more */
	SOURCE_UNBOUND,				/* it carries no binding's number */
};

enum { SOURCES_SHOWN = 8, SOURCES_KNOWN_MAX = 4096, SOURCES_FORMER_MAX = 262144 };

const char *sources_word(enum source_verdict verdict);	/* "own", "former", ... */

/* The binding that a ct mark stands for, by index, or NO_INDEX. Constant time, after a change
 * linear in the number of bindings once. */
uint32_t sources_binding(struct agent *agent, struct fwmark mark);
const char *sources_name(struct agent *agent, struct fwmark mark);	/* its name, or NULL */

enum source_verdict sources_judge(struct agent *agent, const struct connection *connection);

/* What the binding of that mark may leave from in @family: at most @max in @ret, and how many there
 * are. Addresses are prefixes of full length. */
size_t sources_intended(const struct plan *plan, struct fwmark mark, enum family family,
			struct prefix *ret, size_t max);

/* @ops were committed: what they take from a binding's own sources stays known as former. */
void sources_note(struct agent *agent, const struct ops *ops);

/* These connections (by id of their entries) had a source that nothing explains when this
 * agent first looked: that may be from before a change that an earlier agent made. */
void sources_know(struct agent *agent, const uint32_t *ids, size_t n);

void sources_free(struct sources *sources);		/* accepts NULL */
