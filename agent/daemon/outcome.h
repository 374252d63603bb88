/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came of an attempt to change the running state, in words that outlive the configuration
 * generation they speak of. */
#pragma once

#include "model/model.h"

struct problem {
	char *place;				/* "path:line:column" */
	char *text;
	enum diag_level level;
};

struct problems { struct problem *at; size_t n, room, left_out; };

enum { OUTCOME_TEXT = 512 };

struct outcome {
	struct problems problems;		/* of the configuration: errors and warnings */
	char text[OUTCOME_TEXT]; /* one line: why it failed, if not the configuration */
	char place[OUTCOME_TEXT];		/* "path:line:column" of the cause, or "" */
	size_t operations;
	bool replaced;				/* the whole table was written */
	uint64_t took_usec;
};

void outcome_drop(struct outcome *outcome);
void outcome_say(struct outcome *outcome, const char *format, ...) PRINTF(2, 3);

/* Move all of @diag to the end of @problems, in order of place. */
void problems_take(struct problems *problems, const struct model *model, struct diag *diag);
/* To stderr, with places as compilers print them, so that editors find the line. */
void problems_print(const struct problems *problems);
void problems_drop(struct problems *problems);
