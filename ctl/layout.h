/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A statement as a person would write it. */
#pragma once

#include <stddef.h>

/*
 * layout_statement - @text, one statement of the configuration, in the layout of the manual
 * A block of one setting stands on one line, of more on a line each, indented by four spaces; settings of
 * a binding, a group or an uplink are in the manual's order. Words are kept as they are. What has a comment
 * or cannot be read is left as its author laid it out.
 *
 * Returns it malloc'd, without a line break at its end. Pure.
 */
char *layout_statement(const char *text, size_t len);
