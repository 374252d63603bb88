/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a change while it is with the agent, so that a problem in it is shown as a compiler
 * would: the line, and a caret under the place.
 */
#pragma once

#include "ctl.h"

struct excerpt {
	const char *name;			/* what places in it begin with */
	const char *text;
	bool typed;				/* put together from a command line: no file to look into */
};

#define EXCERPT_COMMAND_LINE	"command line"

/*
 * excerpt_print - say @text, which is about @place ("NAME:LINE:COLUMN"), on ctl->err
 * With ctl->excerpt, and a place in it, the line and a caret follow.
 */
void excerpt_print(const struct ctl *ctl, const char *place, const char *text);
