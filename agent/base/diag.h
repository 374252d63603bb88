/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Problems found in a configuration, each with its place. They are collected, never printed as
 * they come: a file is taken whole or not at all, and its author wants all of them at once.
 */
#pragma once

#include "base/own.h"

#include <stdint.h>

struct where {					/* a place in the configuration */
	uint32_t file;				/* index into the model's files */
	uint32_t line;				/* from 1; 0 = no place, the file as a whole */
	uint32_t column;			/* in bytes, from 1 */
};

enum diag_level { DIAG_ERROR, DIAG_WARNING };

struct diag_entry {
	struct where where;
	enum diag_level level;
	char *text;				/* one line: what was found, what was expected */
};

struct diag {
	struct diag_entry *at;
	size_t n, room;
	size_t n_errors;
	size_t n_left_out;			/* beyond DIAG_LIMIT errors: counted only */
};

/* A file of random bytes must not fill memory with complaints about it. */
enum { DIAG_LIMIT = 1000 };

void diag_error(struct diag *diag, struct where where, const char *format, ...) PRINTF(3, 4);
void diag_warning(struct diag *diag, struct where where, const char *format, ...) PRINTF(3, 4);

/* Order by file, line and column, so that the reader goes through each file once. */
void diag_sort(struct diag *diag);
void diag_drop(struct diag *diag);
