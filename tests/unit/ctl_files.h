/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory with a configuration, and what an agent that runs it would say to `save`. */
#pragma once

#include "ctl_support.h"

#include <ftw.h>
#include <jansson.h>

#define INCLUDE	"include \"conf.d/*.conf\";\n"
#define A	"binding a { address 192.0.2.1; }\n"

struct files { char dir[64], path[128]; };

static inline const char *files_path(struct files *files, const char *name)
{
	(void)snprintf(files->path, sizeof files->path, "%s/%s", files->dir, name);
	return files->path;
}

static inline void files_write(struct files *files, const char *name, const char *text)
{
	FILE *out = fopen(files_path(files, name), "we");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static inline struct files files_make(const char *main, const char *extra)
{
	struct files files = { .dir = "/tmp/outbind-save-XXXXXX" };

	assert_non_null(mkdtemp(files.dir));
	assert_int_equal(mkdir(files_path(&files, "conf.d"), 0755), 0);
	files_write(&files, "outbind.conf", main);
	if (extra)
		files_write(&files, "conf.d/10.conf", extra);
	return files;
}

static inline int files_remove(const char *path, const struct stat *status, int kind,
			       struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static inline void files_drop(struct files *files)
{
	(void)nftw(files->dir, files_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* @want NULL: the file must not be there. */
static inline int files_differ(const char *what, struct files *files, const char *name,
			       const char *want)
{
	FILE *in = fopen(files_path(files, name), "re");
	char got[4096] = "";
	size_t n;

	if (!in && !want)
		return 0;
	if (!in || !want) {
		print_error("%s: %s is %s\n", what, name, in ? "there" : "not there");
		if (in)
			(void)fclose(in);
		return 1;
	}
	n = fread(got, 1, sizeof got - 1, in);
	got[n] = '\0';
	(void)fclose(in);
	return differs(what, name, got, want);
}

/* Answers to GetStatus, GetRuntime, Diff and Reload, malloc'd. */
static inline char *files_replies(struct files *files, const char *layer, const char *changes)
{
	json_t *text = json_string(layer);
	char *quoted = json_dumps(text, JSON_ENCODE_ANY), *out = NULL;

	if (asprintf(&out, "{\"parameters\":{\"configuration\":\"%s/outbind.conf\"}}\n" NEXT
		     "{\"parameters\":{\"text\":%s}}\n" NEXT "{\"parameters\":{\"changes\":%s}}\n" NEXT
		     "{\"parameters\":{\"operations\":1}}\n", files->dir, quoted, changes) < 0)
		abort();
	free(quoted);
	json_decref(text);
	return out;
}
