/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command line, taken apart. */
#pragma once

#include "ctl.h"

/* Options that every verb takes, before it or after it. */
enum global { GLOBAL_JSON, GLOBAL_RUNTIME_DIR, GLOBAL_COLOR, GLOBAL_HELP, GLOBAL_VERSION, GLOBALS };

extern const struct option arguments_globals[];

struct command_line {
	const struct verb *verb;		/* NULL: none was given */
	bool wrong_verb;			/* there is no such verb */
	const char *group;			/* first word of a verb whose second is missing */
	struct arguments args;
	const char *global[GLOBALS];		/* "" for a flag that was given */
	char problem[512];			/* one line, for -EINVAL */
};

/*
 * arguments_parse - take @n words apart (without the program's own name)
 * @words: permuted so that @ret->args.rest can borrow from it
 * @ret:   always written
 *
 * Options are "--name value" or "--name=value", anywhere; "--" ends them. Whether a verb has enough
 * arguments is looked at too, unless --help was given. Returns 0, or -EINVAL with @ret->problem.
 */
MUST_CHECK int arguments_parse(char **words, size_t n, struct command_line *ret);
