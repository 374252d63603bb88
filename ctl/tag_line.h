/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to the agent's tag socket, kept: rights are those of the moment when it was opened, so
 * it serves a process that gives its own up afterwards.
 */
#pragma once

#include "base/types.h"
#include "ctl.h"
#include "proto/tag.h"

struct tag_line { struct fd fd; };

struct tagged {					/* an answer */
	uint32_t mark;
	struct { struct prefix *at; size_t n, room; } sources;	/* that it may leave from */
	char refusal[256];			/* "" if it was not refused */
};

static inline void tagged_drop(struct tagged *tagged)
{
	free(tagged->sources.at);
	*tagged = (struct tagged){ 0 };
}

/* CTL_DONE, or the exit code of a failure that was reported. */
MUST_CHECK int tag_line_open(const struct ctl *ctl, struct tag_line *ret);

/*
 * tag_line_tag - have the socket @fd marked, so that it leaves from a binding
 * @ret: the answer; its refusal also says what went wrong on the way
 *
 * Returns 0, -EPERM if the agent refused, -EPROTO for what is no answer, or -errno of the connection.
 * Waits at most 5 seconds. Unless 0 was returned, the socket must not be connected.
 */
MUST_CHECK int tag_line_tag(const struct tag_line *line, const char *binding, int fd,
			    struct tagged *ret);

/* The reading alone: one reply of @len bytes (proto/tag.h, version 2). */
MUST_CHECK int tag_line_read(const char *reply, size_t len, struct tagged *ret);
