/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of the change language as they are typed on a command line, where the shell takes `;`
 * and braces: which word begins a statement, and what may follow it. One table serves putting
 * statements together (compose.h) and completing them (complete.h). It does not judge: whether a
 * statement is right is for the agent's parser to say.
 */
#pragma once

#include "ctl.h"

enum grammar_flags {
	GRAMMAR_STARTS = 1,			/* begins a statement, ending the one before */
	GRAMMAR_ENDS = 2,			/* nothing of its statement comes after its values */
	GRAMMAR_LIST = 4,			/* its value is a list separated by commas */
	GRAMMAR_OPENS = 8,			/* a block of statements of its own follows */
	GRAMMAR_LEAVES = 16,			/* the last statement of such a block */
	GRAMMAR_NEEDS = 64,			/* not complete without one of grammar.next */
	GRAMMAR_BARE = 32,			/* keywords after it are named, and take no values */
};

struct grammar {				/* one keyword; word NULL ends a table */
	const char *word;
	unsigned flags;				/* enum grammar_flags */
	unsigned values;			/* words after it that are values, whatever they are */
	enum completion complete;		/* of the values */
	const char *next;			/* what may come then, beside a new statement */
	const struct grammar *block;		/* GRAMMAR_OPENS: the keywords in there */
};

extern const struct grammar grammar_binding[], grammar_binding_set[], grammar_group[],
	grammar_group_set[], grammar_policy[], grammar_policy_remove[], grammar_default[],
	grammar_warmup[];

enum grammar_role {
	ROLE_STARTS,				/* first word of a statement */
	ROLE_WORD,				/* any other */
	ROLE_LIST,				/* element or elements of a list: commas separate */
	ROLE_END,				/* a `;` of its own */
};

struct grammar_walk {				/* zero but for @table: before the first word */
	const struct grammar *table;
	const struct grammar *outer;		/* the table that @table is a block in, or NULL */
	const struct grammar *last;		/* latest keyword of this statement, or NULL */
	unsigned owed;				/* values of it that are still to come */
	bool ended;				/* a statement must begin here */
	bool bare;				/* after GRAMMAR_BARE */
	bool listed;				/* the latest word was of a list */
};

/* Go over @word; says what it is there. walk->outer changes where a block begins or ends. */
enum grammar_role grammar_step(struct grammar_walk *walk, const char *word);
