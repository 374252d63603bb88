/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent without its event loop: what is in force, and the four ways it changes. Everything it
 * touches comes through struct kernel, struct conf_world and struct state, so tests drive it whole.
 */
#pragma once

#include "base/openmetrics.h"
#include "daemon/generation.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/overlay.h"
#include "daemon/state.h"
#include "daemon/texts.h"
#include "kernel/cgroups.h"
#include "plan/identities.h"

#include <time.h>

typedef int agent_render(const struct kernel_options *options, const struct plan *plan,
			 const char *(*cgroup_path)(void *context, uint64_t id), void *context,
			 char **ret_text, struct kernel_error *reterr);

struct alarm;
struct capacity;
struct flow_log;
struct follow;
struct health;
struct listing;
struct plumb;
struct control;
struct diagnosis;
struct porter;
struct monitor;
struct probe_failure;
struct meter;
struct ranking;
struct exporter;
struct removals;
struct sources;
struct survey;

enum { FLOW_CALLERS_MAX = 16 };

struct flow_callers { uid_t user[FLOW_CALLERS_MAX]; size_t n; };

/* What came to a socket that others connect to. */
struct door { unsigned peers; uint64_t limited, refused; };	/* calls too often, connections not served */
struct figures {				/* for metrics alone */
	struct histogram transactions;		/* time in the kernel */
	struct histogram calls;			/* of the control socket, from arrival to answer */
	uint64_t replacements, refused;		/* of transactions */
};

struct agent {
	/* Borrowed, set before agent_start(). */
	const struct options *options;
	const struct conf_world *world;
	const struct state *state;
	struct kernel *kernel;
	struct cgroups *cgroups;		/* NULL on a host without cgroup2 */
	agent_render *render;			/* kernel_render, or a test's */
	struct monitor *monitor;		/* events for listeners; NULL: there are none */

	struct generation *now;			/* in force; its plan is the shadow of the kernel */
	struct numbers numbers;
	struct shares shares;
	struct warmups warmups;
	struct identities identities;		/* what DNS said, as reported; see identity.h */
	struct facts facts;			/* borrows @shares, @warmups, @identities */
	struct { struct probe_failure *at; size_t n, room; } failing;	/* probes; see probe.h */
	struct overlay overlay;			/* changes made at run time, as in their file */
	struct texts *texts;			/* of the files in force */
	char digest[DIGEST_TEXT];		/* of now.plan */
	bool stale;   /* facts could not be applied: the audit tries again */
	bool suspect; /* the table is not what it should be, and healing failed */

	uint64_t generation;			/* of the configuration, from 1 */
	uint64_t changes;			/* of now: listings made earlier are void */
	uint32_t seen;				/* generation that was noted; see seen.h */
	uint64_t transactions, heals, notices_lost;
	struct figures figures;
	struct timespec started, applied;	/* CLOCK_REALTIME */
	char *ways;				/* as ways.c noted it last; NULL: not yet */
	struct problems warnings;		/* of the configuration in force */
	char last_reload[OUTCOME_TEXT];
	char refusal[OUTCOME_TEXT];		/* "place: text" of the last reload, "" if it was taken */
	uint64_t asked;				/* usec: when the running call had been received */
	struct control *control;		/* for control_wake(); NULL: no socket */
	struct diagnosis *diagnosis;		/* reads the host for doctor; NULL: read when asked */
	struct health *health;			/* since when bindings are usable, or not */
	struct plumb *plumb;			/* what it put on interfaces; NULL: nothing, see plumb.h */
	uid_t asked_by;				/* its peer */
	unsigned captures;			/* that run; see method_capture.c */
	struct { struct door control, tags; struct log_budget log; } doors;
	struct { const struct porter *strangers, *relay; } gates;	/* NULL: there is none */
	struct exporter *exporter;		/* of figures; NULL: none */
	struct removals *removals;		/* bindings that are being removed; see remove.h */
	struct sources *sources;		/* own and former ones; see sources.h */
	struct alarm *alarm;			/* wrong sources; NULL: not looked for yet */
	struct flow_log *flow_log;		/* NULL: there is none; see flow_log.h */
	struct follow *follow;			/* what begins and ends; NULL: cannot be followed */
	struct capacity *capacity;		/* who is short of ports; NULL: not looked for yet */
	struct survey *survey;			/* what looks at connections; NULL: nothing, see survey.h */
	struct flow_callers flow_callers;	/* to whom connections are being sent */
	const char *meter_table;		/* borrowed: @meter is opened to it; NULL: never */
	struct meter *meter;			/* of ranking; NULL: not opened */
	struct ranking *ranking;		/* what all do, for live views; NULL: nobody looks */
	struct listing *listing;		/* sorted views of now, made when first asked for */
};

enum facts_kind { FACTS_KERNEL = 1 << 0, FACTS_CGROUPS = 1 << 1 };

/*
 * agent_start - read everything and bring the kernel to it, or adopt what is there
 * Returns 0; -EINVAL: configuration (out->problems); -EBUSY: another agent owns the table;
 * -EBADMSG: the state file cannot be trusted; or another errno; out->text says which and why.
 * The data path is left as it was unless 0 is returned.
 */
MUST_CHECK int agent_start(struct agent *agent, struct outcome *out);

/*
 * agent_reload - read the configuration again and apply what changed
 * Returns 0, -EINVAL (out->problems), -EREMOTEIO (the kernel refused: out->text, out->place) or
 * another errno in out->text. On failure the running state is what it was.
 */
MUST_CHECK int agent_reload(struct agent *agent, struct outcome *out);

/* Facts of these kinds (bits of enum facts_kind) may have changed: read them, apply. Logs. */
int agent_refresh(struct agent *agent, unsigned kinds);

/*
 * agent_settle - take in what happened to cgroups until now, before its events come
 * Costs a compilation only if something did. Returns 0, or -errno after it was logged: some element
 * is not in the kernel.
 */
MUST_CHECK int agent_settle(struct agent *agent);

/*
 * agent_heal - look whether the table is what we wrote; write it again if not
 * @why:     for the log
 * @foreign: somebody else is known to have changed it; elements are too many to be read back, so
 *           it is written again even if what can be seen is as it should be
 */
int agent_heal(struct agent *agent, const char *why, bool foreign);

/* Compile the model in force with the facts, and apply. -errno: all is as it was, @out says why. */
MUST_CHECK int agent_apply_facts(struct agent *agent, struct outcome *out);
/* The same, where nobody waits for an answer: what fails is logged too, and the audit tries again. */
int agent_follow_facts(struct agent *agent, struct outcome *out);

/* The plan in force is another one: what was derived from the old one goes. */
void agent_changed(struct agent *agent);

uint64_t agent_clock(void);			/* monotonic, usec */
uint64_t agent_resident(void);			/* octets of memory, proc(5) statm; 0: not known */

/* Path of a cgroup for agent_render; @context is the agent. */
const char *agent_cgroup_path(void *context, uint64_t id);

/* Is the table claimed by our socket, so that nobody else can change it. */
bool agent_owns_table(const struct agent *agent);

/* Forget everything; the kernel stays as it is. */
void agent_drop(struct agent *agent);
