/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The proof that folding changes no meaning: both sides are read and compared. */
#pragma once

#include "fold.h"

struct fold_check {
	const char *config, *target;
	char *now;				/* canonical text of files and layer */
};

void fold_check_drop(struct fold_check *check);

/*
 * fold_check_begin - read the files with @layer on top, as the agent does
 * @check: config and target are set; gets the canonical text
 * @fold:  gets every file that was read, and the target
 * Returns CTL_DONE, or CTL_NO after the problems.
 */
MUST_CHECK int fold_check_begin(const struct ctl *ctl, const struct pending *layer,
				struct fold_check *check, struct fold *fold);

/* The file that check->target names. */
struct fold_file *fold_check_target(const struct fold_check *check, const struct fold *fold);

/* The files as they are to be, read without a layer, mean the same. CTL_DONE, or CTL_REFUSED after
 * a complaint. */
MUST_CHECK int fold_check_end(const struct ctl *ctl, const struct fold_check *check,
			      const struct fold *fold);
