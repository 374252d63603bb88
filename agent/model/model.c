/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model's own operations: ownership, binding names and their index, the mask's arithmetic,
 * places as text. The index of names is open addressing over model->bindings, slots hold the
 * binding's index plus one; it is at most half full, so that a search ends.
 */
#include "model/model.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

void model_drop(struct model *model)
{
	arena_drop(&model->arena);
	free(model->files.at);
	free(model->bindings.at);
	free(model->uplinks.at);
	free(model->suspended.at);
	free(model->addresses.at);
	free(model->bypasses.at);
	free(model->cgroups.at);
	free(model->rules.at);
	free(model->relay.listeners.at);
	free(model->relay.rules.at);
	free(model->relay.hops.at);
	free(model->relay.tls_rules.at);
	free(model->names);
	*model = (struct model){ 0 };
}

static bool is_called(const struct model *model, uint32_t binding, const char *name)
{
	const char *its_name = model->bindings.at[binding].name; /* NULL: removed at run time */

	return its_name && strcmp(its_name, name) == 0;
}

/* Slot where @name is, or the free one where it would be. The index has room. */
static size_t slot_of(const struct model *model, const char *name)
{
	size_t i = XXH3_64bits(name, strlen(name)) & (model->names_room - 1);

	while (model->names[i] && !is_called(model, model->names[i] - 1, name))
		i = (i + 1) & (model->names_room - 1);
	return i;
}

uint32_t model_find(const struct model *model, const char *name)
{
	uint32_t found;

	if (model->names_room == 0)
		return NO_INDEX;
	found = model->names[slot_of(model, name)];
	return found ? found - 1 : NO_INDEX;
}

static void grow_names(struct model *model)
{
	model->names_room = model->names_room ? model->names_room * 2 : 64;
	free(model->names);
	model->names = mem_zero(model->names_room, sizeof *model->names);
	for (uint32_t i = 0; i < model->bindings.n; i++)
		if (model->bindings.at[i].name)
			model->names[slot_of(model, model->bindings.at[i].name)] = i + 1;
}

uint32_t model_add_binding(struct model *model, const struct binding *binding)
{
	uint32_t index = (uint32_t)model->bindings.n;

	if (model_find(model, binding->name) != NO_INDEX)
		return NO_INDEX;
	PUSH(&model->bindings, *binding);
	if (model->bindings.n > model->names_room / 2)
		grow_names(model);
	else
		model->names[slot_of(model, binding->name)] = index + 1;
	return index;
}

size_t model_count_bindings(const struct model *model)
{
	size_t n = 0;

	for (size_t i = 0; i < model->bindings.n; i++)
		n += model->bindings.at[i].name != NULL;
	return n;
}

size_t model_count_groups(const struct model *model)
{
	size_t n = 0;

	for (size_t i = 0; i < model->bindings.n; i++)
		n += model->bindings.at[i].name != NULL && model->bindings.at[i].group != NULL;
	return n;
}

static size_t home_of(const struct model *model, size_t slot)
{
	const char *name = model->bindings.at[model->names[slot] - 1].name;

	return XXH3_64bits(name, strlen(name)) & (model->names_room - 1);
}

/* What was pushed on by the one that is gone moves back, so that no search ends too early. */
void model_remove_binding(struct model *model, uint32_t binding)
{
	size_t mask = model->names_room - 1;
	size_t hole = slot_of(model, model->bindings.at[binding].name);

	model->names[hole] = 0;
	for (size_t i = (hole + 1) & mask; model->names[i]; i = (i + 1) & mask) {
		if (((i - home_of(model, i)) & mask) < ((i - hole) & mask))
			continue;
		model->names[hole] = model->names[i];
		model->names[i] = 0;
		hole = i;
	}
	model->bindings.at[binding].name = NULL;
}

void model_reuse_binding(struct model *model, uint32_t slot, const struct binding *binding)
{
	model->bindings.at[slot] = *binding;
	model->names[slot_of(model, binding->name)] = slot + 1;
}

uint32_t model_mask_capacity(struct fwmark mask)
{
	uint64_t numbers = UINT64_C(1) << __builtin_popcount(mask.host);

	/* number 0 is "untagged", and two are kept for `pass` and `reject` */
	return numbers > 3 ? (uint32_t)(numbers - 3) : 0;
}

bool model_cgroup_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	while (len > 0 && top[len - 1] == '/')
		len--;
	return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

const char *model_place(const struct model *model, struct where where, char *out, size_t room)
{
	const char *path = where.file < model->files.n ? model->files.at[where.file] : "?";

	if (where.line)
		snprintf(out, room, "%s:%u:%u", path, where.line, where.column);
	else
		snprintf(out, room, "%s", path);
	return out;
}
