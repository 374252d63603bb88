/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See texts.h. Everything that was answered well is kept under "what was asked", found by hash; the
 * texts of the files are all that is large.
 */
#include "daemon/texts.h"

#include "base/mem.h"
#include "model/index.h"

#include <string.h>

enum asked { ASKED_FILE, ASKED_PATTERN, ASKED_USER, ASKED_GROUP };

struct remembered {
	enum asked asked;
	char *name;
	char *text;				/* ASKED_FILE */
	size_t len;
	char **paths;				/* ASKED_PATTERN, NULL-terminated */
	uint32_t id;
};

struct texts {
	struct conf_world world;		/* its context is this */
	const struct conf_world *from;
	bool sealed;
	struct { struct remembered *at; size_t n, room; } all;
	struct index index;
};

static uint32_t hash_of(enum asked asked, const char *name)
{
	return index_hash(name, strlen(name)) + (uint32_t)asked;
}

static const struct remembered *find(const struct texts *texts, enum asked asked, const char *name)
{
	uint32_t hash = hash_of(asked, name), found;

	for (size_t step = 0; (found = index_next(&texts->index, hash, &step)) != NO_INDEX;) {
		const struct remembered *one = &texts->all.at[found];

		if (one->asked == asked && strcmp(one->name, name) == 0)
			return one;
	}
	return NULL;
}

static struct remembered *remember(struct texts *texts, enum asked asked, const char *name)
{
	struct remembered one = { .asked = asked, .name = mem_copy(name) };

	index_add(&texts->index, hash_of(asked, name), (uint32_t)texts->all.n);
	PUSH(&texts->all, one);
	return &texts->all.at[texts->all.n - 1];
}

static int read_file(void *context, const char *path, char **ret_text, size_t *ret_len)
{
	struct texts *texts = context;
	const struct remembered *known = find(texts, ASKED_FILE, path);
	struct remembered *one;
	int r;

	if (known) {
		*ret_text = mem_text(known->text, known->len);
		*ret_len = known->len;
		return 0;
	}
	if (texts->sealed)
		return -ENOENT;
	r = texts->from->read_file(texts->from->context, path, ret_text, ret_len);
	if (r < 0)
		return r;
	one = remember(texts, ASKED_FILE, path);
	one->text = mem_text(*ret_text, *ret_len);
	one->len = *ret_len;
	return 0;
}

static char **copy_paths(char *const *paths)
{
	size_t n = 0;
	char **copy;

	while (paths && paths[n])
		n++;
	copy = mem_zero(n + 1, sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = mem_copy(paths[i]);
	return copy;
}

static int expand(void *context, const char *pattern, char ***ret_paths)
{
	struct texts *texts = context;
	const struct remembered *known = find(texts, ASKED_PATTERN, pattern);
	int r;

	if (known || texts->sealed) {
		*ret_paths = copy_paths(known ? known->paths : NULL);
		return 0;
	}
	r = texts->from->expand(texts->from->context, pattern, ret_paths);
	if (r == 0)
		remember(texts, ASKED_PATTERN, pattern)->paths = copy_paths(*ret_paths);
	return r;
}

static int id_of(struct texts *texts, enum asked asked, const char *name, uint32_t *ret)
{
	const struct remembered *known = find(texts, asked, name);
	const struct conf_world *from = texts->from;
	int r = 0;

	if (known)
		*ret = known->id;
	else if (asked == ASKED_USER)
		r = from->user_id(from->context, name, ret);
	else
		r = from->group_id(from->context, name, ret);
	if (!known && r == 0)
		remember(texts, asked, name)->id = *ret;
	return r;
}

static int user_id(void *context, const char *name, uint32_t *ret_uid)
{
	return id_of(context, ASKED_USER, name, ret_uid);
}

static int group_id(void *context, const char *name, uint32_t *ret_gid)
{
	return id_of(context, ASKED_GROUP, name, ret_gid);
}

struct texts *texts_new(const struct conf_world *world)
{
	struct texts *texts = mem_zero(1, sizeof *texts);

	texts->from = world;
	texts->world = (struct conf_world){ read_file, expand, user_id, group_id, texts,
					     world->files_only };
	return texts;
}

void texts_free(struct texts *texts)
{
	if (!texts)
		return;
	for (size_t i = 0; i < texts->all.n; i++) {
		struct remembered *one = &texts->all.at[i];

		for (char **path = one->paths; path && *path; path++)
			free(*path);
		free(one->paths);
		free(one->name);
		free(one->text);
	}
	free(texts->all.at);
	index_drop(&texts->index);
	free(texts);
}

void texts_seal(struct texts *texts)
{
	texts->sealed = true;
}

const struct conf_world *texts_world(const struct texts *texts)
{
	return &texts->world;
}
