/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directories of the cgroup tree that matter to the policy, whether they exist now or not, found
 * by path, by inotify watch or by cgroup id in constant time. Memory only: cgroups.c looks at the
 * file system. A place is a few strings and numbers, so that 100,000 of them are a small matter.
 */
#pragma once

#include "base/own.h"

#include <stdbool.h>
#include <stdint.h>

struct place {
	char *full;				/* below the mount */
	const char *path;			/* below the root, in @full; "" is the root */
	uint64_t id;				/* 0 = not there now */
	int watch;				/* inotify's number for it, or -1 */
	bool named;				/* by a path client of the model */
	bool above;				/* something named may appear below it */
	bool slice;				/* and so are all above it: units live here */
	bool queued;				/* to be read */
	bool rival;				/* a directory with the name of @unit */
	uint32_t unit;				/* which of the followed units, if @rival */
	uint32_t client;			/* of the model, by path, or NO_INDEX */
	uint32_t exec;				/* the binding it stands for, or NO_INDEX */
	struct place *next_rival;		/* another directory with that name */
	struct place *next[3];			/* in the buckets of struct places */
};

struct places {
	struct place **buckets[3];		/* by path, by watch, by id */
	size_t n, room;				/* room of each: a power of two */
};

/* The place at @path or NULL. */
struct place *places_find(const struct places *places, const char *path);
struct place *places_by_watch(const struct places *places, int watch);
struct place *places_by_id(const struct places *places, uint64_t id);

/* The place at @path, made if there is none; @mount_prefix is what leads from mount to root. */
struct place *places_add(struct places *places, const char *mount_prefix, const char *path);

/* Only these two change the keys of a place that is entered. */
void places_set_watch(struct places *places, struct place *place, int watch);
void places_set_id(struct places *places, struct place *place, uint64_t id);

void places_remove(struct places *places, struct place *place);		/* frees @place */
void places_drop(struct places *places);

/* Calls @visit for each place; it must not add or remove any. */
void places_each(const struct places *places, void (*visit)(struct place *place, void *context),
		 void *context);
