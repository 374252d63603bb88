/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a policy names, entered as places before anybody has looked whether they are there, and all of it
 * forgotten for the next policy.
 */
#include "kernel/cgroups_state.h"

#include "base/mem.h"

#include <string.h>
#include <sys/inotify.h>

static struct place *name_place(struct cgroups *cgroups, const char *path)
{
	struct place *place = places_add(&cgroups->places, cgroups->tree.mount_prefix, path);

	place->slice = cgroups->n_units > 0 && tree_is_slices(path);
	return place;
}

/* Enter a path of the policy, and its ancestors as places above it. */
static struct place *name_path(struct cgroups *cgroups, const char *path)
{
	char *AUTO(mem_drop) clean = tree_clean_path(path);
	struct place *place = name_place(cgroups, clean);
	char *slash;

	place->named = true;
	while ((slash = strrchr(clean, '/'))) {
		*slash = '\0';
		struct place *parent = name_place(cgroups, clean);

		if (parent->above)
			break;
		parent->above = true;
	}
	return place;
}

/* The unit of the root slice is the root, and so a path. */
static bool is_named_by_unit(const struct cgroup_client *client)
{
	return client->is_unit && strcmp(client->name, "-.slice") != 0;
}

static void enter_clients(struct cgroups *cgroups, const struct model *model)
{
	cgroups->client_places = mem_zero(model->cgroups.n, sizeof *cgroups->client_places);
	cgroups->units = mem_zero(model->cgroups.n, sizeof *cgroups->units);
	for (uint32_t i = 0; i < model->cgroups.n; i++) {
		const struct cgroup_client *client = &model->cgroups.at[i];

		if (!is_named_by_unit(client))
			continue;
		places_add(&cgroups->unit_names, "", client->name)->unit = cgroups->n_units;
		cgroups->units[cgroups->n_units++].client = i;
	}
	/* Only now is it known whether slices matter. */
	for (uint32_t i = 0; i < model->cgroups.n; i++) {
		const struct cgroup_client *client = &model->cgroups.at[i];

		if (is_named_by_unit(client))
			continue;
		cgroups->client_places[i] = name_path(cgroups, client->is_unit ? "" : client->name);
		cgroups->client_places[i]->client = i;
	}
}

void cgroups_enter(struct cgroups *cgroups, const struct model *model)
{
	cgroups->model = model;
	enter_clients(cgroups, model);
	name_place(cgroups, "")->above = true;	/* EXEC_PARENT may appear in it */
	name_place(cgroups, "/" EXEC_PARENT)->above = true;
	name_path(cgroups, "/" EXEC_SLICE)->above = true;
}

static void stop_watching(struct place *place, void *context)
{
	const struct cgroups *cgroups = context;

	if (place->watch >= 0)
		(void)inotify_rm_watch(cgroups->inotify.n, place->watch);
}

void cgroups_unwatch(struct cgroups *cgroups, const struct places *places)
{
	places_each(places, stop_watching, cgroups);
}

void cgroups_forget(struct cgroups *cgroups)
{
	cgroups_unwatch(cgroups, &cgroups->places);
	places_drop(&cgroups->places);
	places_drop(&cgroups->unit_names);
	for (size_t i = 0; i < cgroups->to_scan.n; i++)
		free(cgroups->to_scan.at[i]);
	cgroups->to_scan.n = 0;
	free(cgroups->units);
	free(cgroups->client_places);
	cgroups->units = NULL;
	cgroups->n_units = 0;
	cgroups->client_places = NULL;
	cgroups->model = NULL;
}
