/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every verb of outbindctl shares: one run of the program as a value, exit codes, and what a
 * verb is. A verb is one file with one `const struct verb`; verbs.c lists them, and that list is
 * dispatch, help and completion at once.
 */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifndef CTL_CONFIGURATION
#define CTL_CONFIGURATION	"/etc/outbind/outbind.conf"
#endif
#define CTL_RUNTIME_DIR		"/run/outbind"
#define CTL_RELAY_DIR		"/run/outbind-relay"

/* Exit codes; help.c documents them in the same words. */
enum ctl_status {
	CTL_DONE,				/* done, or the answer is yes */
	CTL_NO,					/* the answer is no */
	CTL_USAGE,				/* the command line is wrong */
	CTL_UNREACHABLE,			/* the agent does not answer */
	CTL_DENIED,				/* permission denied */
	CTL_REFUSED,				/* the agent or the kernel refused */
};

struct ctl {					/* one run of the program */
	FILE *out, *err;
	const char *runtime_dir, *relay_dir;
	const char *relay_socket;	/* the relay is called there; NULL: the agent is called */
	const struct fd *line;		/* calls go over this connection; NULL: each has its own */
	int patience_ms;  /* silence of the agent that is taken for "not there" */
	bool json, color; /* of @out */
	bool utf8;	  /* the locale of who runs this is one of UTF-8 */
	unsigned width;	  /* columns of the terminal; 0: not a terminal */
	bool progress;	  /* @err is a terminal: long waits may show that they go on */
	const struct excerpt *excerpt;	/* the text that is being sent, or NULL; see excerpt.h */
};

enum { CTL_PATIENCE_MS = 120 * 1000 };		/* a reload of a million bindings takes a while */

enum completion { COMPLETE_NONE, COMPLETE_BINDING, COMPLETE_FILE, COMPLETE_VERB, COMPLETE_COLOR,
		  COMPLETE_UNIT, COMPLETE_CGROUP, COMPLETE_USER, COMPLETE_GROUP, COMPLETE_SOURCE,
		  COMPLETE_COLUMN, COMPLETE_SUBJECT, COMPLETE_MEMBER };

struct grammar;

struct option {
	const char *name;			/* without the dashes; NULL ends a table */
	const char *value;			/* what follows it, for help; NULL: nothing does */
	const char *summary;
	enum completion complete;
};

enum { OPTIONS_MAX = 12 };			/* of one verb */

struct arguments {				/* a command line, taken apart */
	const char *value[OPTIONS_MAX];		/* by index in verb->options; "" for a flag */
	char **rest;				/* what is no option, borrowed from argv */
	size_t n_rest;
};

struct verb {
	const char *name;	      /* one or two words */
	const char *synopsis;	      /* arguments, for help */
	const char *summary;	      /* one line, lower case, no full stop */
	const char *text;	      /* paragraphs for `help VERB`; may be NULL */
	const struct option *options; /* may be NULL */
	size_t least, most;	      /* how many arguments that are no option */
	enum completion complete;     /* of its first argument */
	const struct grammar *words;  /* what the arguments from @words_from on are; may be NULL */
	size_t words_from;
	bool command;		      /* what follows the first argument is not ours to read */
	int (*run)(struct ctl *ctl, const struct arguments *args); /* enum ctl_status */
};

/* Who is called: "outbindd" or "outbind-relay". */
const char *ctl_server(const struct ctl *ctl);

/* "outbindctl: ...\n" on ctl->err. */
void ctl_complain(const struct ctl *ctl, const char *format, ...) PRINTF(2, 3);
