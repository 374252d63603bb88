/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers as text for people or JSON for programs. A verb says once what an answer is (a reply
 * object, a list) and how a person reads it; which of the two is printed is decided here.
 */
#pragma once

#include "ctl.h"
#include "table.h"

#include <jansson.h>

/* @reply as JSON: indented on a terminal, else one line. */
void answer_json(const struct ctl *ctl, const json_t *reply);

/* @reply as JSON with --json, else through @text. */
void answer_reply(const struct ctl *ctl, const json_t *reply,
		  void (*text)(const struct ctl *ctl, const json_t *reply));

/* @text as it is; with --json { "text": @text }, or CTL_REFUSED, with a complaint, if it is not UTF-8. */
MUST_CHECK int answer_text(const struct ctl *ctl, const char *text);

struct list {					/* a method that streams items of one kind */
	const char *method, *key;		/* the array in each reply */
	const char *none;			/* said when there is no item */
	const struct column *columns;
	size_t n_columns;
	void (*row)(struct table *table, const json_t *item);
};

/* Call list->method; text: one table; JSON: one object { key: [ item... ] }, written as it comes. */
MUST_CHECK int answer_list(struct ctl *ctl, const struct list *list);

/* A block of "label  value" lines: a table of two columns without titles. */
extern const struct column answer_block[2];

/* One line of a block; nothing if @value is NULL or "". */
void answer_line(struct table *block, const char *label, const char *value, enum tint tint);

/* @n and @noun, in the plural if need be: "1 rule", "2 rules". */
void answer_line_count(struct table *block, const char *label, long long n, const char *noun);
