/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts of the configuration as they were read last: a change at run time is read together with
 * them, not with what is on the disk by then, so that an edit that nobody applied does not slip in.
 */
#pragma once

#include "model/conf.h"

struct texts;

/* Reads through @world and remembers; @world must outlive it. To be freed with texts_free(). */
struct texts *texts_new(const struct conf_world *world);
void texts_free(struct texts *texts);			/* accepts NULL */

/* From now on answer from memory: files, patterns and ids of users and groups that were asked for
 * before. Other files do not exist; other names are looked up. */
void texts_seal(struct texts *texts);

/* Borrowed. */
const struct conf_world *texts_world(const struct texts *texts);
