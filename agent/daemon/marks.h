/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The numbers of bindings, in memory and in the state directory. */
#pragma once

#include "daemon/outcome.h"
#include "daemon/state.h"
#include "kernel/kernel.h"
#include "plan/number.h"

/* A copy that can be thrown away when a change comes to nothing. */
void marks_copy(const struct numbers *from, struct numbers *ret);

/* From now on @kernel is asked whether a retired number is still carried, before it is given away. */
void marks_ask(struct numbers *numbers, struct kernel *kernel);

/* 0, or -EBADMSG with the file, the line and what to do in @out. A missing file is an empty one. */
MUST_CHECK int marks_load(const struct state *state, struct numbers *ret, struct outcome *out);

/* 0, or the errno of writing with words in @out; the old file is whole then. Logs a failure. */
MUST_CHECK int marks_save(const struct state *state, const struct numbers *numbers,
			  struct outcome *out);

/* One line more, of a binding that had no number before. 0 or the errno of writing in @out; the file
 * is whole in either case. */
MUST_CHECK int marks_append(const struct state *state, const char *name, uint32_t number,
			    struct outcome *out);
