/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A world of a few files in memory for conf_read(), with the users www-data (33) and mail (8). */
#pragma once

#include "base/mem.h"
#include "model/change.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

struct fake_file {
	const char *path, *text;
	size_t len;				/* 0: of @text as a string */
};

struct fake_files {
	const struct fake_file *at;
	size_t n;
};

static inline int fake_read_file(void *context, const char *path, char **ret_text, size_t *ret_len)
{
	const struct fake_files *files = context;

	for (size_t i = 0; i < files->n; i++) {
		const struct fake_file *file = &files->at[i];

		if (strcmp(file->path, path) != 0)
			continue;
		if (!file->text)
			return -EACCES;
		*ret_len = file->len ? file->len : strlen(file->text);
		*ret_text = mem_text(file->text, *ret_len);
		return 0;
	}
	return -ENOENT;
}

/* Files match in the order in which they are listed. */
static inline int fake_expand(void *context, const char *pattern, char ***ret_paths)
{
	const struct fake_files *files = context;
	size_t n = 0;

	*ret_paths = mem_zero(files->n + 1, sizeof **ret_paths);
	for (size_t i = 0; i < files->n; i++)
		if (fnmatch(pattern, files->at[i].path, FNM_PATHNAME) == 0)
			(*ret_paths)[n++] = mem_copy(files->at[i].path);
	return 0;
}

static inline int fake_id(void *context, const char *name, uint32_t *ret_id)
{
	(void)context;
	if (strcmp(name, "broken-database") == 0)
		return -EIO;
	if (strcmp(name, "www-data") != 0 && strcmp(name, "mail") != 0)
		return -ESRCH;
	*ret_id = name[0] == 'w' ? 33 : 8;
	return 0;
}

#define FAKE_WORLD(files) \
	{ fake_read_file, fake_expand, fake_id, fake_id, (files), false }

/* Read files->at[0] and what it includes. */
static inline int fake_read(struct fake_files *files, struct model *ret_model, struct diag *diag)
{
	const struct conf_world world = FAKE_WORLD(files);

	return conf_read(files->at[0].path, &world, ret_model, diag);
}

/* The same below @n layers; @files NULL: no file. */
static inline int fake_read_layers(struct fake_files *files, const struct conf_layer *layers,
				   size_t n, struct model *ret_model, struct diag *diag)
{
	const struct conf_world world = FAKE_WORLD(files);

	return conf_read_layers(files ? files->at[0].path : NULL, &world, layers, n, ret_model,
				diag);
}

static inline int fake_items(const char *text, struct items *ret, struct diag *diag)
{
	const struct conf_world world = FAKE_WORLD(NULL);

	return conf_items("change", text, strlen(text), &world, ret, diag);
}

static inline int fake_read_text(const char *text, size_t len, struct model *ret_model,
				 struct diag *diag)
{
	struct fake_file file = { "main.conf", text, len };
	struct fake_files files = { &file, 1 };

	return fake_read(&files, ret_model, diag);
}

/* What was found, one a line, "line:column: text" or with @paths "path:line:column: text". */
static inline char *fake_found(const struct model *model, const struct diag *diag, bool paths)
{
	char *text = NULL, place[256];
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	for (size_t i = 0; i < diag->n; i++) {
		const struct diag_entry *entry = &diag->at[i];

		model_place(model, entry->where, place, sizeof place);
		fprintf(out, "%s%s: %s%s", i ? "\n" : "",
			paths || !strchr(place, ':') ? place : strchr(place, ':') + 1,
			entry->level == DIAG_WARNING ? "warning: " : "", entry->text);
	}
	if (fclose(out) != 0)
		abort();
	return text;
}

static inline char *fake_printed(const struct model *model)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	conf_print(model, out);
	if (fclose(out) != 0)
		abort();
	return text;
}
