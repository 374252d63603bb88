/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What could come next on a command line; the shells' completion files call this. */
#pragma once

#include "ctl.h"

/*
 * complete_words - print candidates for the last of @n words, one a line
 * @words: the command line without the program's name; the last one is being typed, maybe empty
 *
 * Prints nothing where a file name belongs: the shell knows files better. Never complains.
 * Returns CTL_DONE.
 */
int complete_words(struct ctl *ctl, char **words, size_t n);
