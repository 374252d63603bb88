/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Folding a layer of run-time changes into the files of a configuration: which statement of which
 * file becomes what. Nothing is written here; fold_write.c does that.
 */
#pragma once

#include "pending.h"
#include "surgery.h"

struct fold_file {
	char *path;				/* as the reader names it */
	char *full;				/* the same, absolute, without symbolic links */
	char *text;				/* as it is */
	size_t len;
	bool is_new;				/* not there yet */
	size_t n_changes;
	struct edits edits;
	struct hunks hunks;
	char *result;				/* as it is to be; NULL: unchanged */
	size_t result_len;
};

struct fold {
	struct { struct fold_file *at; size_t n, room; } files;
	struct { char **at; size_t n, room; } texts;	/* what edits borrow */
	size_t n_changes, n_suspensions;	/* folded; and left with the agent */
};

void fold_drop(struct fold *fold);

/*
 * fold_make - work out what each file is to be
 * @config: the main file
 * @target: the file that gets what is new; it may not exist yet
 * @ret:    the caller drops it in any case
 *
 * The result is proven: the files as they are to be read to the same configuration as files and
 * layer do now. Returns CTL_DONE, or the exit code after a complaint.
 */
MUST_CHECK int fold_make(const struct ctl *ctl, const char *config, const struct pending *layer,
			 const char *target, struct fold *ret);

/* What would become of the files, as diff -u shows it. */
void fold_print(const struct fold *fold, FILE *out);

/*
 * fold_write - write the files: a copy FILE~ of each, then the new one in its place at once
 * Mode and owner stay. If one fails, those before it are put back. CTL_DONE, or CTL_REFUSED after
 * a complaint.
 */
MUST_CHECK int fold_write(const struct ctl *ctl, const struct fold *fold);
