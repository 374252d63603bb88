/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who looks at connections, and when, whether anybody asks or not: each second the guard's counter
 * (alarm.h), and from time to time a census of all of conntrack (census.h), in which each source is
 * judged.
 */
#pragma once

#include "daemon/census.h"
#include "daemon/sources.h"

struct sd_event;

enum {
	SURVEY_CENSUS_USEC = 10 * 1000000,	/* between two, at least ... */
	SURVEY_RATE_USEC = 5 * 1000000,		/* apart, for the one before */
	SURVEY_CENSUS_SHARE = 100,		/* ... and so many times what one took */
};

MUST_CHECK int survey_open(struct sd_event *event, struct agent *agent);
void survey_close(struct agent *agent);

/* The last census that is complete, and the one before it; NULL: there is none yet. Valid until the
 * event loop goes on. */
const struct census *survey_census(const struct agent *agent);
const struct census *survey_census_before(const struct agent *agent);

/* Is one being made, or about to be. */
bool survey_is_counting(const struct agent *agent);

/* Have one made that begins now or later: its serial, to wait for. control_wake() is called when it is
 * there. 0: it cannot be made. */
uint64_t survey_ask_census(struct agent *agent);
