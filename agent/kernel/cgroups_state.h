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

/* One that was removed, and what it stands for now; NO_INDEX: nothing. */
struct former {
	uint64_t id;
	char *path;
	uint32_t client, exec;			/* index into model->cgroups; binding */
};

enum { KNOWN_MAX = 256, FORMERS_MAX = 1024 };

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
	struct former formers[FORMERS_MAX];	/* a ring */
	size_t n_formers, next_former;
	bool formers_changed;
	bool changed;
	bool lost;				/* events were: look at everything again */
};

/* The places that @model names, and those above them; nothing must be entered. */
void cgroups_enter(struct cgroups *cgroups, const struct model *model);
/* No watch of @places any more. */
void cgroups_unwatch(struct cgroups *cgroups, const struct places *places);
/* No place, no watch, no model. */
void cgroups_forget(struct cgroups *cgroups);

/* Where a unit is if several directories have its name: the one nearest the root, then by name. */
struct place *cgroups_best_place(const struct unit *unit);

/* The binding whose exec cgroup the entry @name of the directory at @parent is, or NO_INDEX. */
uint32_t cgroups_exec_of(const struct cgroups *cgroups, const char *parent, const char *name);

/* What is at @place, which something of the policy names, is gone: its sockets may not be. */
void cgroups_note_former(struct cgroups *cgroups, const struct place *place);
/* The model is another one. */
void cgroups_resolve_formers(struct cgroups *cgroups);
void cgroups_former_facts(const struct cgroups *cgroups, struct facts *facts);
/* The same of all of @before, which were places of the model before, that are gone by now. */
void cgroups_note_gone(struct cgroups *cgroups, const struct places *before);
void cgroups_drop_formers(struct cgroups *cgroups);
