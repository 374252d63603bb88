/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cgroups_enter.c begins with, cgroups.c keeps current and cgroups_query.c answers from; for these. */
#pragma once

#include "kernel/cgroups.h"
#include "kernel/places.h"
#include "kernel/tree.h"

struct unit {
	struct place *first;			/* directories of that name, by next_rival */
	uint32_t client;			/* index into model->cgroups */
};

/* Found once: a cgroup is never moved, and the id of one that was removed is not used again. */
struct known { uint64_t id; char *path; };

enum { KNOWN_MAX = 256 };

struct cgroups {
	struct tree tree;
	struct fd inotify;
	const struct model *model;
	struct places places;
	struct places unit_names;		/* not places: path is the name, unit its number */
	struct unit *units;
	uint32_t n_units;
	struct place **client_places;		/* by index into model->cgroups; NULL: a unit */
	struct { char **at; size_t n, room; } to_scan;	/* paths of directories just watched */
	struct known known[KNOWN_MAX];		/* of visitors, by id modulo */
	bool changed;
	bool lost;				/* events were: look at everything again */
};

/* The places that @model names, and those above them; nothing must be entered. */
void cgroups_enter(struct cgroups *cgroups, const struct model *model);
/* No place, no watch, no model. */
void cgroups_forget(struct cgroups *cgroups);
