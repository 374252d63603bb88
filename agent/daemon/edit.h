/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes at run time: a text on top of what is in force, or nothing of it. */
#pragma once

#include "daemon/agent.h"
#include "daemon/things.h"

struct affected {				/* whose live connections would get another address */
	char *binding;
	uint64_t connections;
};

struct edit_report {
	struct differences changes;
	struct { struct affected *at; size_t n, room; } affected;
};

void edit_report_drop(struct edit_report *report);

struct edit_request {
	const char *name;			/* of the text, in places */
	const char *text;			/* statements of the language, of any number of things */
	bool whole;				/* what it does not define is removed */
	bool dry_run;				/* only say what it would do */
};

/*
 * edit_apply - kernel, file of the overlay and running state get the change; or none of them does
 * Returns 0; -EINVAL or -E2BIG (out->problems, places in the text as it was given); -EBUSY or
 * -EREMOTEIO (the kernel: out->text, out->place); or the errno of writing a file in out->text.
 */
MUST_CHECK int edit_apply(struct agent *agent, const struct edit_request *request,
			    struct edit_report *report, struct outcome *out);
