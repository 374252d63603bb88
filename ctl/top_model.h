/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `outbindctl top` knows: rows as the agent sent them, and what they were before. Pure: answers
 * and times in. An answer is not trusted: what is missing or of another type reads as not known.
 */
#pragma once

#include "base/own.h"
#include "model/index.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Columns of the view, from left to right. */
enum top_column { TOP_NAME, TOP_CONNECTIONS, TOP_NEW, TOP_BYTES, TOP_REFUSED, TOP_HEALTH, TOP_PORTS,
		  TOP_COLUMNS };

enum top_measure { TOP_HISTORY_CONNECTIONS, TOP_HISTORY_NEW, TOP_HISTORY_BYTES,
		   TOP_HISTORY_REFUSED, TOP_MEASURES };

enum {
	TOP_HISTORY = 64,			/* values kept of each row */
	TOP_HISTORIES = 2048,			/* rows that are remembered; then the latest half */
	TOP_REACH = 1000,			/* rows that the agent shows of one order */
	TOP_REASONS = 7,
};

struct top_row {
	char *name, *state, *reason;
	bool group;
	double connections, fresh, bytes, refused;	/* the last three a second; negative: not known */
	double ports, ports_of;			/* 0 of 0: no connections with ports */
};

struct top_history {
	char *name;
	uint64_t tick;				/* of the latest value */
	float at[TOP_MEASURES][TOP_HISTORY];	/* by tick; negative: not known */
};

struct top_model {
	struct { struct top_row *at; size_t n, room; } rows;
	size_t first;				/* of all rows, which rows.at[0] is */
	size_t things, matching;
	double connections, fresh, bytes;	/* of all bindings, as in a row */
	double usable, stand_in, partly, unusable, suspended;	/* how many there are */
	double refused[TOP_REASONS];		/* a second, by reason; negative: not known */
	double counted[TOP_REASONS];		/* the counters themselves */
	double entries, census_age_ms;		/* of conntrack; when they were counted */
	uint64_t usec;				/* of the last answer; 0: there was none */
	uint64_t tick;
	struct { struct top_history *at; size_t n, room; } histories;
	struct index by_name;
};

extern const char *const top_columns[TOP_COLUMNS];	/* as --sort and the agent call them */
extern const char *const top_reasons[TOP_REASONS];	/* "rule", "unusable", ... */

/* The column called @word, or TOP_COLUMNS. */
enum top_column top_column(const char *word);

/*
 * top_model_take - an answer of RankBindings
 * @first: what was asked for
 * @usec:  when it came, of a clock that does not jump
 * @tick:  counts intervals; of two answers within one the later one is kept
 */
void top_model_take(struct top_model *model, const json_t *reply, size_t first, uint64_t usec,
		    uint64_t tick);

/* Values of the last TOP_HISTORY ticks, oldest first. */
void top_model_history(const struct top_model *model, const char *name, enum top_measure measure,
		       float ret[static TOP_HISTORY]);

/* The row at position @at of all, or NULL: the agent has not sent it (yet). */
const struct top_row *top_model_row(const struct top_model *model, size_t at);

/* Position of the row called @name, or SIZE_MAX. */
size_t top_model_find(const struct top_model *model, const char *name);

void top_model_drop(struct top_model *model);
