/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See diag.h. */
#include "base/diag.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

PRINTF(4, 0)
static void add(struct diag *diag, struct where where, enum diag_level level, const char *format,
		va_list args)
{
	struct diag_entry entry = { .where = where, .level = level };

	if (level == DIAG_ERROR)
		diag->n_errors++;
	if (diag->n >= DIAG_LIMIT) {
		diag->n_left_out++;
		return;
	}
	if (vasprintf(&entry.text, format, args) < 0)
		abort();
	PUSH(diag, entry);
}

void diag_error(struct diag *diag, struct where where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(diag, where, DIAG_ERROR, format, args);
	va_end(args);
}

void diag_warning(struct diag *diag, struct where where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(diag, where, DIAG_WARNING, format, args);
	va_end(args);
}

static int by_place(const void *left, const void *right)
{
	const struct where *a = &((const struct diag_entry *)left)->where;
	const struct where *b = &((const struct diag_entry *)right)->where;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->column < b->column ? -1 : a->column > b->column;
}

void diag_sort(struct diag *diag)
{
	if (diag->n)
		qsort(diag->at, diag->n, sizeof *diag->at, by_place);
}

void diag_drop(struct diag *diag)
{
	for (size_t i = 0; i < diag->n; i++)
		free(diag->at[i].text);
	free(diag->at);
	*diag = (struct diag){ 0 };
}
