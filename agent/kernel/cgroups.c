/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See cgroups.h. Every directory that matters is a place (places.h); watched are only those under
 * which something that matters may appear: the slices if the policy names units, the ancestors of
 * paths that it names, and EXEC_PARENT. So 100,000 named cgroups cost one watch for each directory
 * they are in, and what users do inside subtrees delegated to them costs nothing, unless the
 * policy names a path there.
 *
 * An event is a hint to look, never a statement: look_at() asks the file system what is at a path
 * now, so that events may come late, twice or in any order. A directory is watched first and read
 * second, so that what is made in between is seen at least once. Directories are deleted from the
 * leaves up, each with its own event, so no sweep is needed when one of them goes.
 *
 * Symbolic links are never followed and mount points below the root never crossed.
 */
#include "kernel/cgroups.h"

#include "base/mem.h"
#include "kernel/cgroups_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

/* One call of cgroups_read() takes in at most this many buffers; then others have their turn. */
enum { READS_MAX = 16, READ_BYTES = 64 * 1024 };

enum { WATCHED = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR };

static void leave_unit(struct cgroups *cgroups, struct place *place)
{
	struct place **at = &cgroups->units[place->unit].first;

	while (*at != place)
		at = &(*at)->next_rival;
	*at = place->next_rival;
	place->rival = false;
}

/* Does a change of its id change the facts? */
static bool matters(const struct place *place)
{
	return place->named || place->rival || place->exec != NO_INDEX;
}

static void scan_later(struct cgroups *cgroups, struct place *place)
{
	if (!place->queued)
		PUSH(&cgroups->to_scan, mem_copy(place->path));
	place->queued = true;
}

/*
 * Watch what is open as @fd. By way of /proc, because a path could lead to another directory by
 * now. Reading it is left to scan_all(), so that depth costs no stack and no descriptors.
 */
static int watch(struct cgroups *cgroups, struct place *place, const struct fd *fd)
{
	char link[sizeof "/proc/self/fd/" + 3 * sizeof(int)];
	int number;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd->n);
	number = inotify_add_watch(cgroups->inotify.n, link, WATCHED);
	if (number < 0)
		return errno == ENOENT ? 0 : -errno;	/* deleted just now: its event comes */
	places_set_watch(&cgroups->places, place, number);
	scan_later(cgroups, place);
	return 0;
}

/* Bring one place up to date with the file system. @place may be gone afterwards. */
static int look_at(struct cgroups *cgroups, struct place *place)
{
	bool watches = place->above || place->slice;
	AUTO(fd_drop) struct fd fd = FD_NONE;
	uint64_t id = 0;
	int r = tree_open(&cgroups->tree, place->path, &fd);

	if (r == 0)
		r = tree_id(&fd, &id);
	if (r < 0 && r != -ENOENT)
		return r;
	if (id != place->id) {
		cgroups_note_former(cgroups, place);
		if (place->watch >= 0)
			(void)inotify_rm_watch(cgroups->inotify.n, place->watch);
		places_set_watch(&cgroups->places, place, -1);
		places_set_id(&cgroups->places, place, id);
		cgroups->changed = cgroups->changed || matters(place);
	}
	if (id && watches && place->watch < 0)
		return watch(cgroups, place, &fd);
	if (!id && !place->named && !place->above) {
		if (place->rival)
			leave_unit(cgroups, place);
		places_remove(&cgroups->places, place);
	}
	return 0;
}

uint32_t cgroups_exec_of(const struct cgroups *cgroups, const char *parent, const char *name)
{
	if (strcmp(parent, "/" EXEC_PARENT) == 0)
		return tree_exec_binding(cgroups->model, name);
	if (strcmp(parent, "/" EXEC_SLICE) == 0)
		return tree_exec_slice_binding(cgroups->model, name);
	return NO_INDEX;
}

/* Make the place at @path part of the tree of places, with all that its name says about it. */
static struct place *add_place(struct cgroups *cgroups, const struct place *parent,
			       const char *path, const char *name)
{
	bool is_new = !places_find(&cgroups->places, path);
	struct place *place = places_add(&cgroups->places, cgroups->tree.mount_prefix, path);
	const struct place *unit = parent->slice ? places_find(&cgroups->unit_names, name) : NULL;

	place->slice = parent->slice && tree_is_slice(name);
	if (unit && !place->rival) {
		struct unit *of = &cgroups->units[unit->unit];

		place->rival = true;
		place->unit = unit->unit;
		place->next_rival = of->first;
		of->first = place;
		cgroups->changed = cgroups->changed || (!is_new && place->id);
	}
	place->exec = cgroups_exec_of(cgroups, parent->path, name);
	return place;
}

/* Something happened to, or was found at, the entry @name of the directory @parent. */
static int look_at_entry(struct cgroups *cgroups, const struct place *parent, const char *name)
{
	bool is_unit = parent->slice &&
		       (tree_is_slice(name) || places_find(&cgroups->unit_names, name));
	char path[PATH_MAX];
	int len = snprintf(path, sizeof path, "%s/%s", parent->path, name);

	if (len >= (int)sizeof path)
		return 0;			/* no path of a policy is as long */
	if (!places_find(&cgroups->places, path) && !is_unit &&
	    cgroups_exec_of(cgroups, parent->path, name) == NO_INDEX)
		return 0;
	return look_at(cgroups, add_place(cgroups, parent, path, name));
}

/* An error is kept and the rest done all the same: too few watches should not cost us the ids. */
static void keep_first(int *error, int r)
{
	if (*error == 0)
		*error = r;
}

static int scan(struct cgroups *cgroups, const char *path)
{
	struct place *place = places_find(&cgroups->places, path);
	AUTO(tree_close_directory) DIR *directory = NULL;
	const struct dirent *entry;
	int r = 0;

	if (!place)
		return 0;
	place->queued = false;
	if (place->watch < 0)
		return 0;
	r = tree_open_directory(&cgroups->tree, path, &directory);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while ((entry = readdir(directory)))
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			keep_first(&r, look_at_entry(cgroups, place, entry->d_name));
	return r;
}

/* Read all directories that were watched, and those found by that. */
static int scan_all(struct cgroups *cgroups)
{
	int r = 0;

	while (cgroups->to_scan.n) {
		char *AUTO(mem_drop) path = cgroups->to_scan.at[--cgroups->to_scan.n];

		keep_first(&r, scan(cgroups, path));
	}
	return r;
}

static void collect(struct place *place, void *context)
{
	scan_later(context, place);
}

/* Events were lost: look at every place, and read every directory that is watched, again. */
static int look_at_all(struct cgroups *cgroups)
{
	size_t n;
	int r = 0;

	cgroups->lost = false;
	places_each(&cgroups->places, collect, cgroups);
	n = cgroups->to_scan.n;
	for (size_t i = 0; i < n; i++) {
		struct place *place = places_find(&cgroups->places, cgroups->to_scan.at[i]);

		if (place)
			keep_first(&r, look_at(cgroups, place));
	}
	keep_first(&r, scan_all(cgroups));
	return r;
}

static int take_event(struct cgroups *cgroups, const struct inotify_event *event)
{
	struct place *place = places_by_watch(&cgroups->places, event->wd);

	if (event->mask & IN_Q_OVERFLOW) {
		cgroups->lost = true;
		return 0;
	}
	if (!place)
		return 0;			/* of a watch given up since */
	if (event->mask & IN_IGNORED) {
		places_set_watch(&cgroups->places, place, -1);
		return look_at(cgroups, place);	/* gone, made anew, or unmounted */
	}
	if (!(event->mask & IN_ISDIR) || event->len == 0)
		return 0;
	return look_at_entry(cgroups, place, event->name);
}

static int take_events(struct cgroups *cgroups)
{
	alignas(struct inotify_event) char buffer[READ_BYTES];
	int r = 0;

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = read(cgroups->inotify.n, buffer, sizeof buffer);

		if (n < 0) {
			keep_first(&r, errno == EAGAIN || errno == EINTR ? 0 : -errno);
			break;
		}
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event = (const void *)(buffer + at);

			keep_first(&r, take_event(cgroups, event));
			at += (ssize_t)(sizeof *event + event->len);
		}
	}
	return r;
}

int cgroups_open(const char *root, struct cgroups **ret)
{
	struct cgroups *cgroups = mem_zero(1, sizeof *cgroups);
	int r;

	cgroups->inotify = FD_NONE;
	r = tree_init(&cgroups->tree, root);
	if (r == 0) {
		cgroups->inotify.n = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		r = cgroups->inotify.n < 0 ? -errno : 0;
	}
	if (r < 0) {
		cgroups_close(cgroups);
		return r;
	}
	*ret = cgroups;
	return 0;
}

void cgroups_close(struct cgroups *cgroups)
{
	if (!cgroups)
		return;
	cgroups_forget(cgroups);
	cgroups_drop_formers(cgroups);
	for (size_t i = 0; i < KNOWN_MAX; i++)
		free(cgroups->known[i].path);
	free(cgroups->to_scan.at);
	fd_drop(&cgroups->inotify);
	tree_drop(&cgroups->tree);
	free(cgroups);
}

int cgroups_follow(struct cgroups *cgroups, const struct model *model)
{
	struct places before = cgroups->places;
	int r;

	cgroups->places = (struct places){ 0 };
	cgroups_unwatch(cgroups, &before);
	cgroups_forget(cgroups);
	cgroups_enter(cgroups, model);
	cgroups_resolve_formers(cgroups);
	r = look_at_all(cgroups);
	cgroups_note_gone(cgroups, &before);
	places_drop(&before);
	cgroups->changed = false;		/* the caller knows nothing yet that could change */
	cgroups->lost = cgroups->lost || r < 0;
	return r;
}

int cgroups_fd(const struct cgroups *cgroups)
{
	return cgroups->inotify.n;
}

int cgroups_read(struct cgroups *cgroups, bool *ret_changed)
{
	int r = take_events(cgroups);

	keep_first(&r, scan_all(cgroups));
	if (cgroups->lost)
		keep_first(&r, look_at_all(cgroups));
	if (r < 0) {
		cgroups->lost = true;		/* the next call looks at everything */
		return r;
	}
	*ret_changed = cgroups->changed;
	cgroups->changed = false;
	return 0;
}

int cgroups_find_exec(struct cgroups *cgroups, const char *binding, bool slice, char **ret_path,
		      bool *ret_there)
{
	const char *above = slice ? EXEC_SLICE : EXEC_PARENT;
	char *AUTO(mem_drop) name = slice ? tree_exec_slice(binding) : tree_exec_name(binding);
	char *AUTO(mem_drop) path = NULL;
	const struct place *parent, *place;
	char *full;
	int r = 0;

	if (asprintf(&path, "/%s/%s", above, name) < 0)
		abort();
	path[strlen(above) + 1] = '\0';
	parent = places_find(&cgroups->places, path);
	path[strlen(above) + 1] = '/';
	/* Known at once, so that the caller can commit it before the first connection. */
	if (parent)
		r = look_at_entry(cgroups, parent, name);
	if (r < 0)
		return r;
	place = places_find(&cgroups->places, path);
	if (asprintf(&full, "%s%s", cgroups->tree.root_path, path) < 0)
		abort();
	*ret_there = place && place->id;
	*ret_path = full;
	return 0;
}
