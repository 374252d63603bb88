/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was changed at run time, as one layer on top of the files: statements of the configuration
 * language, at most one about each thing. Pure; runtime.h keeps it on the disk.
 */
#pragma once

#include "model/change.h"
#include "model/index.h"

struct overlay_entry {
	struct item item;			/* key NULL: taken out */
	bool hides;				/* the files say something about this thing too */
};

struct overlay {
	struct overlay_entry *at;
	size_t n, room;
	size_t n_dead;				/* entries that were taken out */
	struct index index;			/* by kind and key */
};

void overlay_drop(struct overlay *overlay);
void overlay_copy(const struct overlay *from, struct overlay *ret);
void overlay_item_drop(struct item *item);
struct item overlay_item_copy(const struct item *item);

/* `suspend NAME;`, and `remove ...;` of a thing that is known by @kind and @key. */
struct item overlay_suspension(const char *name);
struct item overlay_removal(enum item_kind kind, const char *key);

/* The line that the statement about a thing begins in, in the text of overlay_file(). */
unsigned overlay_line(const struct overlay *overlay, enum item_kind kind, const char *key);

/* Constant time. NULL if there is none; valid until the next change of @overlay. */
struct overlay_entry *overlay_find(const struct overlay *overlay, enum item_kind kind,
				   const char *key);

/* In the place of what is there about the same thing, or at the end. Takes @item over. */
void overlay_put(struct overlay *overlay, struct item item, bool hides);

/* Take one out; false if there is none. */
bool overlay_take(struct overlay *overlay, enum item_kind kind, const char *key);

/*
 * overlay_merge - put @item on top
 * @in_files: do the files say something about the thing, if the overlay does not know
 *
 * What hides nothing is not kept: a removal only stays if the files would bring the thing back,
 * `resume` never does. Copies what it keeps.
 */
void overlay_merge(struct overlay *overlay, const struct item *item, bool in_files);

/* The statements as one text that can be read as a layer: definitions first, suspensions after
 * them. Returns malloc'd text; *@ret_definitions is where the suspensions begin. */
char *overlay_text(const struct overlay *overlay, size_t *ret_len, size_t *ret_definitions);

/* The same as a file: a line with the format, the statements, a line with a digest of all that. */
char *overlay_file(const struct overlay *overlay, size_t *ret_len, size_t *ret_definitions);

/*
 * overlay_read - what overlay_file() wrote
 * @name: of the file, as places name it
 * Returns 0; -EBADMSG with line and cause if it is not whole; -EINVAL with @diag.
 */
MUST_CHECK int overlay_read(const char *name, const char *text, size_t len,
			    const struct conf_world *world, struct overlay *ret,
			    unsigned *reterr_line, const char **reterr_cause, struct diag *diag);
