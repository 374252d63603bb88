/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What another program prints, within bounds. */
#pragma once

#include "base/own.h"

#include <stdbool.h>

/*
 * program_read - run @argv (found by PATH), and read what it prints
 * @max:      bytes that are kept; more ends the program
 * @limit_ms: after that long it is ended too
 * @ret_text: malloc'd, NUL-terminated, bytes that are no text as they are
 * @ret_cut:  there was more, or it was ended for its time
 *
 * Its standard input and error are /dev/null. Returns its exit status, -ENOENT if there is no such
 * program, or another -errno. With a negative result *@ret_text is not written.
 */
MUST_CHECK int program_read(char *const argv[], size_t max, int limit_ms, char **ret_text,
			    bool *ret_cut);
