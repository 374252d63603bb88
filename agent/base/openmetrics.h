/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Figures as text: OpenMetrics 1.0 (RFC draft-richih-opsawg-openmetrics-00) or the text format of
 * Prometheus, version 0.0.4. The two differ in what a counter's family is called, and in the end.
 *
 * One family after the other, its samples behind it; names and label names are the caller's and
 * right, values of labels may be anything. Made for a million samples: nothing is formatted by printf.
 */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stdint.h>

enum openmetrics_format { OPENMETRICS_PROMETHEUS, OPENMETRICS_1 };
enum openmetrics_kind { OPENMETRICS_COUNTER, OPENMETRICS_GAUGE, OPENMETRICS_HISTOGRAM,
			OPENMETRICS_INFO };	/* INFO: samples have value 1 and end in _info */

struct openmetrics {
	enum openmetrics_format format;
	int fd;					/* borrowed: what is full goes there; -1: kept */
	int error;				/* of writing to it: the first -errno */
	char *at;
	size_t len, room;
	const char *name;			/* of the family; borrowed */
	enum openmetrics_kind kind;
	bool labelled;				/* the sample has a label already */
};

/* Start a text. @fd: where to write it, in large pieces; -1: all of it is at @at, @len octets. */
void openmetrics_open(struct openmetrics *text, enum openmetrics_format format, int fd);
void openmetrics_drop(struct openmetrics *text);

/* Begin a family. @name: without _total or _info; @help: one line, without backslashes. */
void openmetrics_family(struct openmetrics *text, const char *name, enum openmetrics_kind kind,
			const char *help);

/* A sample of it: openmetrics_sample(), labels, then one of the two values. */
void openmetrics_sample(struct openmetrics *text);
void openmetrics_label(struct openmetrics *text, const char *name, const char *value);
void openmetrics_labels(struct openmetrics *text, const char *ready);	/* `a="b",c="d"`, or "" */
void openmetrics_count(struct openmetrics *text, uint64_t value);
void openmetrics_micros(struct openmetrics *text, uint64_t micros);	/* written as seconds */

/* A family with one sample, which has no labels. */
void openmetrics_one(struct openmetrics *text, const char *name, enum openmetrics_kind kind,
		     const char *help, uint64_t value);

/* How often something took how long. */
enum { HISTOGRAM_BOUNDS = 14 };
struct histogram { uint64_t counts[HISTOGRAM_BOUNDS + 1], micros; };
void openmetrics_took(struct histogram *histogram, uint64_t micros);
void openmetrics_histogram(struct openmetrics *text, const char *name, const char *help,
			   const struct histogram *histogram);

/* End the text; it can be read, or has been written. 0 or the first -errno of writing. */
MUST_CHECK int openmetrics_end(struct openmetrics *text);
