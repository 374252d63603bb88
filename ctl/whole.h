/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that outbindd could have as its configuration, as a text that it takes as a change. */
#pragma once

#include "ctl.h"
#include "pieces.h"

#include <sys/types.h>

/* Does @text have a statement that no change says, such as `include` or `relay`? */
bool whole_is_configuration(const char *text, size_t len);

/* @text without such statements, every other octet in its place; malloc'd. @pieces are its own. */
char *whole_without_settings(const char *text, size_t len, const struct pieces *pieces);

/*
 * whole_read - the configuration at @path with all that it includes
 * @ret_text: malloc'd, without settings that no change brings: they must be those of the agent's own files
 * @ret_name: malloc'd: what places in it begin with
 * Returns CTL_DONE, or the exit code after a complaint.
 */
MUST_CHECK int whole_read(struct ctl *ctl, const char *path, char **ret_text, char **ret_name);
