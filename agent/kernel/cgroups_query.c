/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The questions of cgroups.h. Those about the policy's cgroups are answered from what cgroups.c
 * keeps current, without a system call; those about any other path or process ask the kernel.
 */
#include "kernel/cgroups_state.h"

#include "base/mem.h"

#include <string.h>

struct place *cgroups_best_place(const struct unit *unit)
{
	struct place *best = NULL;

	for (struct place *p = unit->first; p; p = p->next_rival) {
		size_t len = strlen(p->path), best_len = best ? strlen(best->path) : SIZE_MAX;

		if (p->id && (len < best_len ||
			      (len == best_len && best && strcmp(p->path, best->path) < 0)))
			best = p;
	}
	return best;
}

struct execs {
	struct facts *facts;
	size_t room;
};

static void add_exec(struct execs *execs, uint64_t id, uint32_t binding)
{
	struct facts *facts = execs->facts;

	if (!id || binding == NO_INDEX)
		return;
	facts->execs = mem_grow(facts->execs, &execs->room, facts->n_execs + 1,
				sizeof *facts->execs);
	facts->execs[facts->n_execs].id = id;
	facts->execs[facts->n_execs++].binding = binding;
}

static void collect_exec(struct place *place, void *context)
{
	add_exec(context, place->id, place->exec);
}

void cgroups_facts(const struct cgroups *cgroups, struct facts *facts)
{
	size_t n = cgroups->model ? cgroups->model->cgroups.n : 0;
	struct execs execs = { .facts = facts };

	free(facts->cgroup_ids);
	free(facts->execs);
	facts->execs = NULL;
	facts->n_execs = 0;
	facts->cgroup_ids = mem_zero(n, sizeof *facts->cgroup_ids);
	for (size_t i = 0; i < n; i++)
		if (cgroups->client_places[i])
			facts->cgroup_ids[i] = cgroups->client_places[i]->id;
	for (size_t i = 0; i < cgroups->n_units; i++) {
		const struct place *place = cgroups_best_place(&cgroups->units[i]);

		if (place)
			facts->cgroup_ids[cgroups->units[i].client] = place->id;
	}
	places_each(&cgroups->places, collect_exec, &execs);
	for (size_t i = 0; i < cgroups->n_formers; i++)
		add_exec(&execs, cgroups->formers[i].id, cgroups->formers[i].exec);
	cgroups_former_facts(cgroups, facts);
}

int cgroups_chain(const struct cgroups *cgroups, const char *path, uint64_t ret_ids[static 16])
{
	char *AUTO(mem_drop) clean = tree_clean_path(path);

	return tree_chain(&cgroups->tree, clean, ret_ids);
}

int cgroups_below(const struct cgroups *cgroups, const char *path, char **ret_path)
{
	return tree_below(&cgroups->tree, path, ret_path);
}

/* The path of a cgroup that was found before and is still there, or NULL. */
static const char *known_path(const struct cgroups *cgroups, uint64_t id)
{
	const struct known *known = &cgroups->known[id % KNOWN_MAX];
	uint64_t now;

	return known->path && known->id == id &&
	       tree_id_of(&cgroups->tree, known->path, &now) == 0 && now == id ? known->path : NULL;
}

static void note_known(struct cgroups *cgroups, uint64_t id, const char *path)
{
	struct known *known = &cgroups->known[id % KNOWN_MAX];

	free(known->path);
	*known = (struct known){ .id = id, .path = mem_copy(path) };
}

static int find_by_id(struct cgroups *cgroups, const char *top, const struct visitor *visitor,
		      char **ret_path)
{
	const char *known = known_path(cgroups, visitor->cgroup);
	char *AUTO(mem_drop) clean = tree_clean_path(top);
	int r;

	if (known && !model_cgroup_below(known, clean))
		return -ENOENT;
	if (known) {
		*ret_path = mem_copy(known);
		return 0;
	}
	r = tree_find(&cgroups->tree, top, visitor, ret_path);
	if (r == 0)
		note_known(cgroups, visitor->cgroup, *ret_path);
	return r;
}

/* A number that was found may be another process's by now. */
static int find_by_pid(const struct cgroups *cgroups, const char *top,
		       const struct visitor *visitor, char **ret_path)
{
	char *AUTO(mem_drop) path = NULL;
	int r = tree_find(&cgroups->tree, top, visitor, &path);

	if (r < 0 || !visitor_is_there(visitor))
		return r < 0 ? r : -ENOENT;
	*ret_path = path;
	path = NULL;
	return 0;
}

int cgroups_find(struct cgroups *cgroups, const char *top, const struct visitor *visitor,
		 char **ret_path)
{
	if (visitor->cgroup)
		return find_by_id(cgroups, top, visitor, ret_path);
	return visitor->pid > 0 ? find_by_pid(cgroups, top, visitor, ret_path) : -ENOENT;
}

const char *cgroups_unit_path(const struct cgroups *cgroups, const char *unit)
{
	const struct place *name = places_find(&cgroups->unit_names, unit);
	const struct place *place = name ? cgroups_best_place(&cgroups->units[name->unit]) : NULL;

	return place ? place->path : NULL;
}

const char *cgroups_path_of(const struct cgroups *cgroups, uint64_t id)
{
	const struct place *place = places_by_id(&cgroups->places, id);

	return place ? place->full : NULL;
}
