/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of a command line put together into a text of the change language. */
#pragma once

#include "grammar.h"

struct statements { char **at; size_t n, room; };	/* each with its `;` or `}` */

void compose_drop(struct statements *statements);

/*
 * compose_statements - divide @n words into statements, and quote those that need it
 * @grammar: the keywords that begin statements here
 * @ret:     the caller drops it
 *
 * Elements of lists are divided at commas. Returns CTL_DONE; or CTL_USAGE, after a complaint, for a
 * word with a line break in it, which no text of the language can hold.
 */
MUST_CHECK int compose_statements(const struct ctl *ctl, const struct grammar *grammar,
				  char **words, size_t n, struct statements *ret);

/* The same where every element of every word is a statement of its own, as in `bypass`. */
MUST_CHECK int compose_elements(const struct ctl *ctl, char **words, size_t n,
				struct statements *ret);

/* "HEAD NAME { statements }", malloc'd, on several lines if there are several; @name may be NULL. */
char *compose_block(const char *head, const char *name, const struct statements *statements);

/* The statements alone, a line each, malloc'd. */
char *compose_text(const struct statements *statements);

/* "HEAD NAME;", malloc'd. */
char *compose_removal(const char *head, const char *name);
