/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside plan/ only: texts of state files, a version line and then a line for each thing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEXT_LINE_MAX = 4096 };			/* bytes, the newline among them */

/*
 * text_lines_read - give each line after the first to @read
 * @version: what the first line must be, with its newline
 * @read:    gets a copy that it may cut up, without the newline; false if it cannot be trusted
 * @ret_line: number of the line that was read last, also on failure
 *
 * An empty text has no lines. Returns 0, or -EINVAL: another version, a line that is too long, has a
 * NUL or no end, or one that @read refused.
 */
int text_lines_read(const char *text, size_t len, const char *version,
		    bool (*read)(void *context, char *line), void *context, uint32_t *ret_line);
