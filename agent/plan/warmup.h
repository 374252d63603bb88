/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far the warm-ups of bindings are: the day each is on, and how many new connections it has had
 * that day before the kernel's element was made, which counts the rest. Pure; times are seconds of
 * CLOCK_REALTIME, given by the caller.
 */
#pragma once

#include "model/model.h"

#include <stdio.h>

enum { WARMUP_DAY = 86400 };

struct warmup_state {				/* of a binding whose warm-up was started */
	char *name;
	uint32_t day;				/* from 1; above the last one: it is over */
	bool paused;
	int64_t since;				/* when the day began; paused: seconds of it that are over */
	uint64_t used;				/* new connections of this day, before the element */
	uint64_t counted;			/* by the element when it was read last */
};

struct warmups { struct warmup_state *at; size_t n, room; };	/* sorted by name */

void warmups_drop(struct warmups *warmups);
struct warmup_state *warmups_find(const struct warmups *warmups, const char *name);

/* Its state, made if it has none: day 1 from @now. */
struct warmup_state *warmups_start(struct warmups *warmups, const char *name, int64_t now);

/* As text: a version line, then "NAME DAY running|paused SINCE USED COUNTED" a line. */
void warmups_write(const struct warmups *warmups, FILE *out);

/* Read it back; an empty text is none. -EINVAL with the number of the line in *@ret_line. */
MUST_CHECK int warmups_read(const char *text, size_t len, struct warmups *ret, uint32_t *ret_line);

/* Is there a limit now: it was started, and its last day is not over. */
bool warmup_limits(const struct warmup_state *state, const struct warmup *warmup);

/* New connections that it may have this day, and what is left of it by @state->used alone. */
uint32_t warmup_quota(const struct warmup_state *state, const struct warmup *warmup);
uint32_t warmup_left(const struct warmup_state *state, const struct warmup *warmup);

/*
 * warmup_advance - go to the next day if this one is over, one day at a time
 * A clock that jumped ahead by days moves it by one, and that day begins now; a day that would begin
 * in the future begins now. Returns whether anything changed.
 */
bool warmup_advance(struct warmup_state *state, const struct warmup *warmup, int64_t now);

/*
 * warmup_count - the element has counted @counted since it was made
 * Returns true if it must be made anew with what is left now: it has counted less than before, so it
 * is not the one that was read then.
 */
bool warmup_count(struct warmup_state *state, const struct warmup *warmup, uint64_t counted);

/* The same when the element will be gone or is asked about only: a smaller count is no news. */
void warmup_note(struct warmup_state *state, const struct warmup *warmup, uint64_t counted);

/* Used up of this day, as far as it is known. */
uint64_t warmup_used(const struct warmup_state *state);

/* The days stand still, and go on. */
void warmup_pause(struct warmup_state *state, int64_t now);
void warmup_resume(struct warmup_state *state, int64_t now);
