/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all files of the state directory have in common when they are read and written whole, and the
 * words for what goes wrong: in @out for whoever asked, in the log for everybody. */
#pragma once

#include "daemon/outcome.h"
#include "daemon/state.h"

#include <stdio.h>

/*
 * The format of the files, of all of them, in their first lines: "outbind-numbers 1". It becomes 2 when an
 * agent of today could read something else than what was meant, and must then not be started.
 */
enum { STATE_FORMAT = 1 };

typedef int state_writer(const struct state *state, const char *name, const char *text, size_t len);

struct state_file {				/* being written */
	FILE *out;
	char *text;
	size_t len;
};

void state_file_open(struct state_file *file);

/*
 * state_file_close - write what was printed to file->out, and forget it
 * @write: state_write, state_append or state_note
 * @out:   NULL if nobody asked for it: it is tried again
 * Returns what that returns, said.
 */
MUST_CHECK int state_file_close(struct state_file *file, const struct state *state,
				const char *name, state_writer *write, struct outcome *out);

/*
 * state_file_check - is there a file of a format that this version does not know?
 * To be asked before anything is read or written. -EPROTONOSUPPORT, said, if there is one; else 0.
 */
MUST_CHECK int state_file_check(const struct state *state, struct outcome *out);

/* state_read(); -EBADMSG, said, for a file that is there and cannot be read. */
MUST_CHECK int state_file_read(const struct state *state, const char *name, char **ret_text,
			       size_t *ret_len, struct outcome *out);

/* Say that @line is not one of ours, and @advice: "restore the file, or ...". Returns -EBADMSG. */
MUST_CHECK int state_file_refuse(const struct state *state, const char *name, unsigned line,
				 const char *advice, struct outcome *out);

/* Say that a file could not be written, and why: @r, a negative errno, which is returned. @out as
 * above. */
MUST_CHECK int state_file_unwritable(const struct state *state, const char *name, int r,
				     struct outcome *out);
