/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A confined process of ours (confine/confine.h), seen from the agent: started with one socket to us, nothing
 * of ours and no environment; heard of when it writes, and when it ends. It ends with that socket at the
 * latest, so also if the agent is killed.
 *
 * When the next one is started is the owner's to say: callers wait for a gate, so it is back at once, and then
 * once a second (porter.c); figures can wait, so what cannot be started is tried ever more seldom (exporter.c).
 */
#pragma once

#include "base/own.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

enum { CHILD_MORE_MAX = 2 };			/* descriptors behind its link */

/* It has ended, @how as waitid(2) says, and is forgotten with what it wrote last; it may be started again. */
typedef void child_ended(void *owner, const siginfo_t *how);

struct child {
	/* Set by the owner, who is @context of @hear too. */
	sd_event *event;
	sd_event_io_handler_t hear;		/* there is something to read at @link, or it is closed */
	child_ended *ended;
	void *owner;
	/* Read by the owner. */
	pid_t pid;				/* 0: not running */
	struct fd link;				/* FD_NONE at first; SOCK_SEQPACKET */
	/* Its own. */
	sd_event_source *on_link, *on_end;
};

struct child_program {
	const char *path;
	char *const *arguments;			/* from its name to NULL */
	const struct fd *more;			/* it gets behind its link; stay the caller's */
	size_t n_more;				/* CHILD_MORE_MAX at most */
	bool speaks;				/* its stderr is ours; else nothing */
};

/* Run @program, which must not be running; SIGCHLD is blocked. 0, or -errno: then nothing runs. */
MUST_CHECK int child_start(struct child *child, const struct child_program *program);

/* Have it end, if it runs; its end is heard of. */
void child_kill(const struct child *child);

/* End it and forget it, if it runs: its end is not heard of. Waits until it is gone, so it must be one
 * that holds nothing which could keep it. */
void child_end(struct child *child);

/* The same without waiting, for when we end too: it is gone before us or after. */
void child_drop(struct child *child);
