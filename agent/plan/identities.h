/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was found out about the identity of each address, by whoever asks DNS, and for how long its word
 * counts. Pure; times are seconds of CLOCK_REALTIME, given by the caller. An address is of one binding
 * at most, so it is the key. Whoever shows or exports results goes over the array.
 */
#pragma once

#include "model/model.h"
#include "proto/identity.h"

#include <stdio.h>

enum { IDENTITY_WORDS = 400 };			/* of one check, with NUL */

struct identity {
	struct ip ip;
	char *binding;				/* that had it when it was looked at */
	enum identity_state state[IDENTITY_CHECKS];	/* as found last */
	enum identity_state known[IDENTITY_CHECKS];	/* the last that was good or bad */
	char *words[IDENTITY_CHECKS];		/* what is wrong or not known; NULL: nothing */
	int64_t checked;			/* when that was */
	int64_t agreed;				/* when FCrDNS was good last; 0: bad since, or never good */
	bool counts;				/* for `require fcrdns`, as judged last */
};

struct identities { struct identity *at; size_t n, room; };	/* sorted by ip */

void identities_drop(struct identities *identities);
void identity_drop(struct identity *identity);	/* what is found and not put */

const struct identity *identities_find(const struct identities *identities, const struct ip *ip);

/*
 * identities_put - what was found at @found->checked; takes what @found owns
 * @ret_before: what was known before, zeroed if nothing was; may be NULL
 *
 * Good FCrDNS sets agreed, bad unsets it, and what could not be told leaves it. Words lose what is not
 * printable.
 */
void identities_put(struct identities *identities, struct identity *found,
		    enum identity_state ret_before[static IDENTITY_CHECKS]);

/* Does @model have @ip in the binding of that name? */
bool identities_has(const struct model *model, const char *name, const struct ip *ip);

/* Forget addresses that @model does not have with that binding. */
void identities_follow(struct identities *identities, const struct model *model);

/*
 * identities_judge - which addresses count at @now
 * Those that agreed at most @keep seconds ago. A time that lies ahead is a clock that was set back:
 * it counts from now on. Returns whether any changed.
 */
bool identities_judge(struct identities *identities, int64_t now, uint32_t keep);

/* A version line, then one line an address, and one that begins with a tab for each word. */
void identities_write(const struct identities *identities, FILE *out);

/* Read it back; an empty text is none. -EINVAL with the number of the line in *@ret_line. */
MUST_CHECK int identities_read(const char *text, size_t len, struct identities *ret,
			       uint32_t *ret_line);
