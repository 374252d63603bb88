/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which number stands for which binding or uplink. A number belongs to a name for as long as the
 * state file lives, also after the binding is gone: a socket or a connection may still carry it. Only
 * when a mask runs out of fresh numbers is the one that was retired longest ago given away, and only if
 * nothing carries it any more.
 */
#pragma once

#include "model/model.h"

#include <stdio.h>

/*
 * Which of @n marks within @mask some socket or connection still carries, in *ret_carried. -errno if
 * that cannot be told: then none is given away.
 */
typedef int numbers_ask(void *context, struct fwmark mask, const struct fwmark *marks, size_t n,
			bool *ret_carried);

#define NUMBERS_UPLINK	"uplink:"		/* before an uplink's name: no binding has a colon */

struct numbers {
	struct { char *name; uint32_t number; uint64_t retired; } *at;	/* retired: order, 0 = in use */
	size_t n, room;
	uint64_t retirements;			/* so far */
	uint32_t *index;			/* hash of names */
	size_t index_room;
	numbers_ask *ask;			/* NULL: nothing carries any */
	void *context;				/* of @ask; borrowed */
	uint32_t highest;			/* given so far; 0: not known */
	bool torn;				/* the file ended within an appended line: write it anew */
};

void numbers_drop(struct numbers *numbers);

/*
 * numbers_assign - a number for every binding and every uplink of @model
 * @numbers:    what was given out so far; updated
 * @ret_numbers: malloc'd array, one per binding and after them one per uplink, from
 *               1; 0 for a binding that was removed
 * @ret_changed: true if @numbers must be written to the state file again
 *
 * Returns 0; -ENOSPC if the mask has fewer numbers than the model has bindings and uplinks; -EBUSY
 * if it has enough, but those that are free are still carried: then @numbers can only be dropped.
 */
MUST_CHECK int numbers_assign(struct numbers *numbers, const struct model *model,
			      uint32_t **ret_numbers, bool *ret_changed);

/*
 * numbers_give - the number of one binding, without looking at all others
 * @ret_new: its line must be appended to the state file: numbers_write_one()
 * Returns 0 if the mask, which has room for @capacity, is too full for that: numbers_assign().
 */
uint32_t numbers_give(struct numbers *numbers, const char *name, uint32_t capacity, bool *ret_new);

/* The binding was removed, or is there again. */
void numbers_retire(struct numbers *numbers, const char *name, bool retired);

/* Inside number*.c: an entry as the text has it. False if the name is there already. */
bool numbers_enter(struct numbers *numbers, const char *name, size_t len, uint32_t number,
		   uint64_t retired);

/* Text form: a version line, then "number retired name" a line. Read refuses what it cannot trust:
 * -EINVAL with the line in *@reterr_line; an empty text is an empty table. */
MUST_CHECK int numbers_read(const char *text, size_t len, struct numbers *ret_numbers,
			    uint32_t *reterr_line);
void numbers_write(const struct numbers *numbers, FILE *out);

/* A line that may be appended to the text; one that was not written whole is ignored. */
void numbers_write_one(const char *name, uint32_t number, FILE *out);
