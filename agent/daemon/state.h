/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files in the state directory, written so that a crash or a full disk leaves the old or the new
 * one, whole. */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stddef.h>

#define STATE_MARKS	"marks"			/* which number stands for which binding */
#define STATE_GROUPS	"groups"		/* which slots of a group belong to whom */
#define STATE_RUNTIME	"runtime.conf"		/* what was changed at run time */
#define STATE_LAST	"runtime.conf.last"	/* the version before */
#define STATE_SUSPENDED	"suspended"		/* names of suspended bindings, of version 0.1 */
#define STATE_WARMUP	"warmup"		/* how far the warm-ups are */
#define STATE_IDENTITIES "identities"		/* what DNS said about addresses */
#define STATE_WAYS	"ways"			/* what live connections by uplinks need */
#define STATE_SEEN	"generation"		/* of the ruleset, as it was after our last change */
#define STATE_FORMER	"former"		/* cgroups that were removed: sockets may outlive them */
#define STATE_ADDRESSES	"addresses"		/* those that we added to interfaces */

enum state_step { STATE_OPEN, STATE_WRITE, STATE_SYNC, STATE_RENAME, STATE_SYNC_DIR, STATE_STEPS };

struct state {
	const char *dir;
	struct fd lock;				/* held while this agent lives */
	/* Tests only: called before each step; negative errno makes the step fail. */
	int (*before)(void *context, enum state_step step);
	void *context;
};

/* Make @dir if it is missing and keep others out. -EBUSY: another agent uses it. */
MUST_CHECK int state_open(const char *dir, struct state *ret);
void state_drop(struct state *state);

/* Whole file, malloc'd and NUL-terminated; a missing one is an empty text. */
MUST_CHECK int state_read(const struct state *state, const char *name, char **ret_text,
			  size_t *ret_len);
MUST_CHECK int state_write(const struct state *state, const char *name, const char *text,
			   size_t len);

/*
 * state_replace - the same, and what was there before stays as @last
 * Both are whole at every moment; @last is what @name was, or is, while this runs.
 */
MUST_CHECK int state_replace(const struct state *state, const char *name, const char *last,
			     const char *text, size_t len);

/* The first octets of a file as text, cut at the first NUL; "" if it is missing or cannot be read. */
enum { STATE_HEAD = 64 };
void state_head(const struct state *state, const char *name, char ret[static STATE_HEAD]);

bool state_has(const struct state *state, const char *name);
void state_remove(const struct state *state, const char *name);

/* At the end of what is there, synced. If it fails the file is as it was, but for a crash: then it
 * may end within @text. */
MUST_CHECK int state_append(const struct state *state, const char *name, const char *text,
			    size_t len);

/* The same for what need not outlive a power loss: atomic, but not synced. */
MUST_CHECK int state_note(const struct state *state, const char *name, const char *text,
			  size_t len);

/* Exclusive lock file @name in @dir, both made if missing. -EBUSY: held by another process. */
MUST_CHECK int state_lock(const char *dir, const char *name, struct fd *ret);
