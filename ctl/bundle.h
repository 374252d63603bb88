/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tar archive with gzip, of texts. */
#pragma once

#include "base/own.h"

#include <time.h>

struct bundle_member {
	const char *path;			/* in the archive */
	const char *text;
	size_t len;
};

/*
 * bundle_write - write all of it to @fd, each member readable by its owner only
 * Returns 0, or -errno with a line in @reterr.
 */
enum { BUNDLE_ERROR = 200 };
MUST_CHECK int bundle_write(int fd, const struct bundle_member *members, size_t n, time_t when,
			     char reterr[static BUNDLE_ERROR]);
