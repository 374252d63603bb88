/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cgroups that were removed. A socket keeps the cgroup that it was made in, and so its id, also when that
 * is gone: it was kept over a restart of its unit, or passed on. The kernel never gives an id to another
 * cgroup (fs/kernfs/dir.c __kernfs_new_node(): 64 bits, of which the upper ones count the rounds), so what
 * was true of it stays true. The newest FORMERS_MAX that some rule named are remembered, by path.
 */
#include "kernel/cgroups_state.h"

#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The client of the model that stands for the directory at @path, or NO_INDEX. */
static uint32_t client_of(const struct cgroups *cgroups, const char *path)
{
	const struct place *named = places_find(&cgroups->places, path);
	const char *slash = strrchr(path, '/');
	const struct place *unit = slash ? places_find(&cgroups->unit_names, slash + 1) : NULL;
	char *AUTO(mem_drop) above = NULL;

	if (named && named->client != NO_INDEX)
		return named->client;
	if (!unit)
		return NO_INDEX;
	above = mem_text(path, (size_t)(slash - path));
	return tree_is_slices(above) ? cgroups->units[unit->unit].client : NO_INDEX;
}

static void resolve(const struct cgroups *cgroups, struct former *former)
{
	const char *slash = strrchr(former->path, '/');

	former->client = client_of(cgroups, former->path);
	former->exec = NO_INDEX;
	if (slash) {
		char *AUTO(mem_drop) above = mem_text(former->path, (size_t)(slash - former->path));

		former->exec = cgroups_exec_of(cgroups, above, slash + 1);
	}
}

void cgroups_resolve_formers(struct cgroups *cgroups)
{
	for (size_t i = 0; i < cgroups->n_formers; i++)
		resolve(cgroups, &cgroups->formers[i]);
}

/* The oldest makes room. */
static void note(struct cgroups *cgroups, uint64_t id, const char *path)
{
	struct former *former = &cgroups->formers[cgroups->next_former];

	for (size_t i = 0; i < cgroups->n_formers; i++)
		if (cgroups->formers[i].id == id)
			return;
	free(former->path);
	*former = (struct former){ .id = id, .path = mem_copy(path) };
	cgroups->next_former = (cgroups->next_former + 1) % FORMERS_MAX;
	if (cgroups->n_formers < FORMERS_MAX)
		cgroups->n_formers++;
	resolve(cgroups, former);
	cgroups->formers_changed = true;
}

void cgroups_note_former(struct cgroups *cgroups, const struct place *place)
{
	bool best = place->rival && cgroups_best_place(&cgroups->units[place->unit]) == place;

	if (place->id && (place->named || best || place->exec != NO_INDEX))
		note(cgroups, place->id, place->path);
}

static void note_if_gone(struct place *place, void *context)
{
	struct cgroups *cgroups = context;
	bool mattered = place->named || place->rival || place->exec != NO_INDEX;
	uint64_t id;

	if (place->id && mattered && !places_by_id(&cgroups->places, place->id) &&
	    (tree_id_of(&cgroups->tree, place->path, &id) < 0 || id != place->id))
		note(cgroups, place->id, place->path);
}

void cgroups_note_gone(struct cgroups *cgroups, const struct places *before)
{
	places_each(before, note_if_gone, cgroups);
}

static int by_cgroup(const void *one, const void *other)
{
	const struct former_cgroup *a = one, *b = other;

	if (a->cgroup != b->cgroup)
		return a->cgroup < b->cgroup ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

void cgroups_former_facts(const struct cgroups *cgroups, struct facts *facts)
{
	free(facts->formers);
	facts->formers = mem_zero(cgroups->n_formers, sizeof *facts->formers);
	facts->n_formers = 0;
	for (size_t i = 0; i < cgroups->n_formers; i++) {
		const struct former *former = &cgroups->formers[i];

		if (former->client != NO_INDEX) {
			facts->formers[facts->n_formers].cgroup = former->client;
			facts->formers[facts->n_formers++].id = former->id;
		}
	}
	if (facts->n_formers > 1)
		qsort(facts->formers, facts->n_formers, sizeof *facts->formers, by_cgroup);
}

bool cgroups_formers_changed(struct cgroups *cgroups)
{
	bool changed = cgroups->formers_changed;

	cgroups->formers_changed = false;
	return changed;
}

void cgroups_print_formers(const struct cgroups *cgroups, FILE *out)
{
	size_t first = cgroups->n_formers < FORMERS_MAX ? 0 : cgroups->next_former;

	for (size_t i = 0; i < cgroups->n_formers; i++) {
		const struct former *former = &cgroups->formers[(first + i) % FORMERS_MAX];

		fprintf(out, "%" PRIu64 " %s\n", former->id, former->path);
	}
}

/* One line, "ID PATH"; the kernel refuses names with a newline (cgroup_mkdir()). */
static bool read_line(struct cgroups *cgroups, char *line)
{
	char *end;
	uint64_t id;

	errno = 0;
	id = strtoull(line, &end, 10);
	if (errno || id == 0 || *line < '1' || *line > '9' || end[0] != ' ' || end[1] != '/')
		return false;
	note(cgroups, id, end + 1);
	return true;
}

int cgroups_read_formers(struct cgroups *cgroups, const char *text, size_t len, unsigned *ret_line)
{
	char *AUTO(mem_drop) copy = mem_text(text, len);
	char *rest = copy, *line;

	*ret_line = 0;
	if (memchr(text, '\0', len))
		return -EBADMSG;
	while ((line = strsep(&rest, "\n")) && rest) {	/* what is after the last newline is nothing */
		++*ret_line;
		if (!read_line(cgroups, line))
			return -EBADMSG;
	}
	cgroups->formers_changed = false;
	return 0;
}

void cgroups_drop_formers(struct cgroups *cgroups)
{
	for (size_t i = 0; i < cgroups->n_formers; i++)
		free(cgroups->formers[i].path);
	cgroups->n_formers = cgroups->next_former = 0;
}
