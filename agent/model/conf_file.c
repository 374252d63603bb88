/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which files make up a configuration. A file counts once: reading it again could only repeat its
 * bindings, and refusing that also ends every loop. Two paths are the same file if they are equal
 * after `.`, `..` and double slashes are taken out; a loop through symbolic links is ended by the
 * kernel's own limit on them.
 */
#include "model/conf_actions.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* Where the last component of @path begins; each of them, the last too, ends with a slash. */
static size_t last_component(const char *path, size_t len, size_t root)
{
	size_t start = len > root ? len - 1 : root;

	while (start > root && path[start - 1] != '/')
		start--;
	return start;
}

/* @path without `.`, `..` and empty components, to be freed by the caller. */
static char *plain_path(const char *path)
{
	size_t root = *path == '/', n = root;
	char *out = mem_zero(strlen(path) + 2, 1);

	if (root)
		out[0] = '/';
	for (const char *part = path + strspn(path, "/"); *part; part += strspn(part, "/")) {
		size_t len = strcspn(part, "/"), last = last_component(out, n, root);
		bool up = len == 2 && memcmp(part, "..", 2) == 0;

		if (up && n > last && !(n - last == 3 && memcmp(out + last, "../", 3) == 0)) {
			n = last;
		} else if (!(up && root) && !(len == 1 && *part == '.')) {
			memcpy(out + n, part, len);
			n += len;
			out[n++] = '/';
		}
		part += len;
	}
	out[n] = '\0';
	return out;
}

uint32_t conf_file_find(const struct conf *conf, const char *path)
{
	char *AUTO(mem_drop) plain = plain_path(path);
	uint32_t hash = index_hash(plain, strlen(plain)), item;

	for (size_t step = 0; (item = index_next(&conf->files, hash, &step)) != NO_INDEX;) {
		char *AUTO(mem_drop) other = plain_path(conf->model->files.at[item]);

		if (strcmp(plain, other) == 0)
			return item;
	}
	return NO_INDEX;
}

uint32_t conf_file_add(struct conf *conf, const char *path)
{
	char *AUTO(mem_drop) plain = plain_path(path);
	uint32_t file = (uint32_t)conf->model->files.n;

	PUSH(&conf->model->files, arena_text(&conf->model->arena, path, strlen(path)));
	index_add(&conf->files, index_hash(plain, strlen(plain)), file);
	return file;
}

/* Directory of the file that includes, as a prefix; a pattern's own special characters escaped. */
static char *directory_of(const char *path, bool escaped)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0, n = 0;
	char *out = mem_zero(2 * len + 1, 1);

	for (size_t i = 0; i < len; i++) {
		if (escaped && strchr("*?[\\", path[i]))
			out[n++] = '\\';
		out[n++] = path[i];
	}
	return out;
}

static void expand(struct conf *conf, const char *pattern, struct where where)
{
	char **paths = NULL;
	int r = conf->world->expand(conf->world->context, pattern, &paths);

	if (r < 0 && r != -ENOENT)
		diag_error(conf->diag, where, "%s cannot be expanded: %s", SHOW_TEXT(pattern),
			   strerrordesc_np(-r) ? strerrordesc_np(-r) : "unknown error");
	if (r < 0)
		return;
	for (char **path = paths; path && *path; path++) {
		struct conf_include include = { .path = *path, .where = where };

		PUSH(&conf->includes, include);
	}
	free(paths);
}

void conf_file_include(struct conf *conf, const struct word *word, struct where where)
{
	const char *from = conf->model->files.at[where.file];
	const char *special = NULL;
	char *AUTO(mem_drop) name = mem_text(word->at, word->len);
	char *AUTO(mem_drop) directory = NULL;
	struct conf_include include = { .where = where };

	if (conf->layers.now < conf->layers.n) {
		diag_error(conf->diag, where,
			   "'include' in a run-time change: expected the statements "
			   "of the file themselves");
		return;
	}
	if (word->len == 0) {
		diag_error(conf->diag, where,
			   "the file name is empty: expected a path or a pattern");
		return;
	}
	special = strpbrk(name, "*?[");
	directory = directory_of(*name == '/' ? "" : from, special != NULL);
	if (asprintf(&include.path, "%s%s", directory, name) < 0)
		abort();
	if (!special) {
		PUSH(&conf->includes, include);
		return;
	}
	expand(conf, include.path, where);
	free(include.path);
}

bool conf_file_check(struct conf *conf, const char *text, size_t len, uint32_t file)
{
	struct where where = { .file = file, .line = 1 };
	size_t line_start = 0, line_reported = 0;
	bool good = true;

	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		n = conf_utf8_len(text + i, len - i);
		if (text[i] == '\n') {
			where.line++;
			line_start = i + 1;
		}
		if ((text[i] && n) || line_reported == where.line)
			continue;
		where.column = (uint32_t)(i - line_start) + 1;
		line_reported = where.line;
		good = false;
		if (!text[i]) {
			diag_error(conf->diag, where, "found a NUL byte, expected text");
			break; /* a binary file: more of it would tell nothing */
		}
		diag_error(conf->diag, where,
			   "found byte 0x%02x, which is not UTF-8, expected UTF-8 "
			   "text",
			   (unsigned char)text[i]);
	}
	return good;
}
