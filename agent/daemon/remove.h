/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removing a binding without losing a connection: its clients are given to another one, it is
 * suspended, its live connections end by themselves or are ended, and then it goes. The removal
 * belongs to the agent: it goes on when who asked for it goes away, and who asks again joins it. It
 * does not outlive the agent; the suspension does.
 */
#pragma once

#include "daemon/agent.h"
#include "daemon/references.h"

enum { REMOVE_NAMED = 10 };			/* connections that are named, of those that remain */

enum remove_state {
	REMOVE_RUNNING,
	REMOVE_DONE,				/* the binding is gone */
	REMOVE_KEPT,				/* given up; the binding is there, suspended or resumed */
	REMOVE_FAILED,				/* nothing lives, but the change was refused */
};

struct removal {
	char *name;
	enum remove_state state;
	uint64_t connections, at_start, killed;
	char *remaining[REMOVE_NAMED];		/* the first few, in words */
	size_t n_remaining;
	const char *why;			/* REMOVE_KEPT: static text */
	int result;				/* REMOVE_FAILED: -errno, with words in @out */
	struct outcome out;
	uint64_t round;				/* counts what there is to tell */

	/* Of remove.c. */
	uint64_t begun, deadline, next;		/* usec of agent_clock(); no deadline: UINT64_MAX */
	uint64_t killing;			/* since when; 0: not */
	bool kill;				/* at the deadline */
	unsigned refs;
};

struct remove_request {
	const char *name;
	const char *reassign;			/* who gets its clients, or NULL */
	bool drain, kill;
	uint64_t timeout;			/* usec from now; UINT64_MAX: none */
	struct edit_report *try;		/* not NULL: say only what would happen, in there */
};

struct removal_refusal {			/* of -EADDRINUSE */
	struct references references;		/* at most REMOVE_NAMED, if they are why */
	struct removal *about;			/* connections, remaining */
};

struct removals {
	struct removal **at;			/* those that run; each is referenced once */
	size_t n, room;
	void (*arm)(void *context, uint64_t usec);	/* NULL: tests call remove_tick() themselves */
	void *context;
};

/*
 * remove_begin - begin to remove, join a removal that runs, or be done at once
 * @ret: to be given back with remove_unref(); see its state
 *
 * Returns 0; -ESRCH: no such binding, -ENOENT: no such OTHER; -EADDRINUSE: it is in use, with by
 * whom and by what in *@ret_refusal, to be dropped; -EALREADY: OTHER itself is being removed; or as
 * the change was refused, or connections could not be counted, in @out. Then nothing has changed.
 */
MUST_CHECK int remove_begin(struct agent *agent, const struct remove_request *request,
			    struct removal **ret, struct removal_refusal *ret_refusal,
			    struct outcome *out);
void remove_refusal_drop(struct removal_refusal *refusal);
void remove_unref(struct removal *removal);	/* accepts NULL */

/* Look at all removals that are due. Returns usec until the next one is, UINT64_MAX if none runs. */
uint64_t remove_tick(struct agent *agent);

/* Forget those that run; their bindings stay suspended. */
void remove_drop(struct agent *agent);

struct sd_event;

/* Have the event loop call remove_tick(). 0 or -errno. remover_close() before the loop goes. */
MUST_CHECK int remover_open(struct sd_event *event, struct agent *agent);
void remover_close(struct agent *agent);
