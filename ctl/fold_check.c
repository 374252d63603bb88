/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both readings go through conf_read_layers() with a world whose files are those of the fold: as
 * they were when they were first looked at, so that an edit in between cannot slip through, and as
 * they are to be. Canonical texts are compared statement by statement, since the order of
 * statements has no meaning and folding changes it.
 */
#include "fold_check.h"

#include "base/mem.h"
#include "pieces.h"

#include <fnmatch.h>
#include <limits.h>
#include <string.h>

void fold_check_drop(struct fold_check *check)
{
	free(check->now);
	*check = (struct fold_check){ 0 };
}

/* Absolute and without symbolic links as far as it exists, malloc'd. */
static char *full_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *AUTO(mem_drop) directory = slash ? mem_text(path, (size_t)(slash - path) + 1)
					       : mem_text(".", 1);
	char *AUTO(mem_drop) full = NULL;
	char *out = realpath(path, NULL);

	if (out)
		return out;
	full = realpath(directory, NULL);
	if (!full)
		return mem_copy(path);
	if (asprintf(&out, "%s/%s", full, slash ? slash + 1 : path) < 0)
		abort();
	return out;
}

static struct fold_file *find_file(const struct fold *fold, const char *path)
{
	char *AUTO(mem_drop) full = full_path(path);

	for (size_t i = 0; i < fold->files.n; i++)
		if (strcmp(fold->files.at[i].full, full) == 0)
			return &fold->files.at[i];
	return NULL;
}

static void add_file(struct fold *fold, const char *path, const char *text, size_t len, bool is_new)
{
	struct fold_file file = { .path = mem_copy(path), .full = full_path(path),
				  .text = mem_text(text, len), .len = len, .is_new = is_new };

	PUSH(&fold->files, file);
}

struct view {					/* files as a reading sees them */
	struct fold *collect;			/* gets what is read for the first time; or NULL */
	const struct fold *fold;
	const char *target;
	bool to_be;				/* results, where there are */
	bool saw_target;
};

static int copy_file(const struct view *view, const struct fold_file *file, char **ret_text,
		     size_t *ret_len)
{
	bool result = view->to_be && file->result;

	if (file->is_new && !result)
		return -ENOENT;
	*ret_len = result ? file->result_len : file->len;
	*ret_text = mem_text(result ? file->result : file->text, *ret_len);
	return 0;
}

static int read_file(void *context, const char *path, char **ret_text, size_t *ret_len)
{
	struct view *view = context;
	const struct fold_file *file = find_file(view->fold, path);
	int r;

	if (file) {
		view->saw_target = view->saw_target || file == find_file(view->fold, view->target);
		return copy_file(view, file, ret_text, ret_len);
	}
	r = conf_system.read_file(conf_system.context, path, ret_text, ret_len);
	if (r == 0 && view->collect)
		add_file(view->collect, path, *ret_text, *ret_len, false);
	return r;
}

/* As glob(3) finds them, and the target if it is to be there and matches. */
static int expand(void *context, const char *pattern, char ***ret_paths)
{
	const struct view *view = context;
	const struct fold_file *target = find_file(view->fold, view->target);
	char **paths = NULL;
	size_t n = 0, room = 0;
	int r = conf_system.expand(conf_system.context, pattern, &paths);

	if (r < 0 && r != -ENOENT)
		return r;
	while (paths && paths[n])
		n++;
	if (view->to_be && target && target->is_new && target->result &&
	    (fnmatch(pattern, target->path, FNM_PATHNAME | FNM_PERIOD) == 0 ||
	     fnmatch(pattern, target->full, FNM_PATHNAME | FNM_PERIOD) == 0)) {
		room = n;
		paths = mem_grow(paths, &room, n + 2, sizeof *paths);
		paths[n++] = mem_copy(target->path);
		paths[n] = NULL;
	}
	*ret_paths = paths;
	return paths ? 0 : r;
}

static char *canonical(const struct model *model)
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

/* Read @check->config as @view shows it into canonical text; problems are printed. */
static int read_as(const struct ctl *ctl, const struct fold_check *check, struct view *view,
		   const struct conf_layer *layer, char **ret_text)
{
	struct conf_world world = conf_system;
	AUTO(model_drop) struct model model = { 0 };
	AUTO(diag_drop) struct diag diag = { 0 };
	char place[PATH_MAX + 32];
	int r;

	world.read_file = read_file;
	world.expand = expand;
	world.context = view;
	r = conf_read_layers(check->config, &world, layer, layer ? 1 : 0, &model, &diag);
	for (size_t i = 0; i < diag.n && r < 0; i++)
		(void)fprintf(ctl->err, "%s: %s\n",
			      model_place(&model, diag.at[i].where, place, sizeof place),
			      diag.at[i].text);
	if (r == 0)
		*ret_text = canonical(&model);
	return r;
}

/* The layer without suspensions, which stay with the agent: no file can hold them. */
static char *without_suspensions(const struct pending *layer, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	if (!out)
		abort();
	for (size_t i = 0; i < layer->items.n; i++)
		if (layer->items.at[i].kind != ITEM_SUSPEND)
			(void)fputs(layer->items.at[i].text, out);
	if (fclose(out) != 0)
		abort();
	return text;
}

int fold_check_begin(const struct ctl *ctl, const struct pending *layer, struct fold_check *check,
		     struct fold *fold)
{
	struct view view = { .collect = fold, .fold = fold, .target = check->target };
	struct conf_layer top = { .name = "run-time changes" };
	char *AUTO(mem_drop) text = without_suspensions(layer, &top.len);
	int r;

	top.text = text;
	if (read_as(ctl, check, &view, &top, &check->now) < 0) {
		ctl_complain(ctl, "the files are not valid; nothing was changed");
		return CTL_NO;
	}
	if (find_file(fold, check->target))
		return CTL_DONE;
	AUTO(mem_drop) char *old = NULL;
	size_t len = 0;

	r = conf_system.read_file(conf_system.context, check->target, &old, &len);
	if (r < 0 && r != -ENOENT) {
		ctl_complain(ctl, "%s cannot be read: %s", check->target, strerror(-r));
		return CTL_REFUSED;
	}
	add_file(fold, check->target, old ? old : "", len, r < 0);
	return CTL_DONE;
}

struct fold_file *fold_check_target(const struct fold_check *check, const struct fold *fold)
{
	return find_file(fold, check->target);
}

struct sorted { char **at; size_t n, room; };

static void sorted_drop(struct sorted *sorted)
{
	for (size_t i = 0; i < sorted->n; i++)
		free(sorted->at[i]);
	free(sorted->at);
}

static int by_text(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The statements of canonical text; lists in blocks are in order already. */
static void sort_statements(const char *text, struct sorted *ret)
{
	AUTO(pieces_drop) struct pieces pieces = { 0 };

	if (pieces_read(text, strlen(text), &pieces) < 0)
		abort();			/* canonical text is never broken */
	for (size_t i = 0; i < pieces.n; i++)
		if (pieces.at[i].parent == PIECES_NONE)
			PUSH(ret, mem_text(text + pieces.at[i].start,
					   pieces.at[i].end - pieces.at[i].start));
	if (ret->n > 0)
		qsort(ret->at, ret->n, sizeof *ret->at, by_text);
}

/* The first statement that is on one side only, or NULL. */
static const char *first_difference(const struct sorted *a, const struct sorted *b)
{
	for (size_t i = 0; i < a->n || i < b->n; i++) {
		int order = i == a->n ? 1 : i == b->n ? -1 : strcmp(a->at[i], b->at[i]);

		if (order != 0)
			return order < 0 ? a->at[i] : b->at[i];
	}
	return NULL;
}

static int complain_include(const struct ctl *ctl, const struct fold_check *check)
{
	const char *slash = strrchr(check->config, '/'), *target = check->target;
	size_t len = slash ? (size_t)(slash - check->config) + 1 : 0;

	if (strncmp(target, check->config, len) == 0)
		target += len;
	ctl_complain(ctl, "%s does not include %s; add this line to it, or name another file:\n"
		     "    include \"%s\";\nnothing was changed", check->config, check->target,
		     strcmp(target, "conf.d/runtime.conf") == 0 ? "conf.d/*.conf" : target);
	return CTL_REFUSED;
}

int fold_check_end(const struct ctl *ctl, const struct fold_check *check, const struct fold *fold)
{
	struct view view = { .fold = fold, .target = check->target, .to_be = true };
	AUTO(sorted_drop) struct sorted now = { 0 }, then = { 0 };
	char *AUTO(mem_drop) text = NULL;
	const struct fold_file *target = find_file(fold, check->target);
	const char *different;

	if (read_as(ctl, check, &view, NULL, &text) < 0) {
		ctl_complain(ctl, "the files would not be valid with that; nothing was changed");
		return CTL_REFUSED;
	}
	if (target && target->result && !view.saw_target)
		return complain_include(ctl, check);
	sort_statements(check->now, &now);
	sort_statements(text, &then);
	different = first_difference(&now, &then);
	if (!different)
		return CTL_DONE;
	ctl_complain(
		ctl,
		"the files would not say what runs; nothing was changed. First difference:\n%s",
		different);
	return CTL_REFUSED;
}
