/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was changed at run time and is not in the files: the layer that the agent keeps. */
#pragma once

#include "ctl.h"

#include "model/change.h"

struct pending {
	char *text;				/* NULL: not known */
	struct items items;			/* of it */
	struct { const struct item **at; size_t n, room; } sorted;	/* by kind and key */
};

void pending_drop(struct pending *pending);

/* Take @text, which the agent keeps, apart. CTL_DONE, or CTL_REFUSED after a complaint. */
MUST_CHECK int pending_read(const struct ctl *ctl, const char *text, struct pending *ret);

/* The item of @pending about the same thing as @item, or NULL. */
const struct item *pending_same(const struct pending *pending, const struct item *item);
