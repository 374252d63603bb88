/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See exec_place.h. A plain cgroup is made here, below the one that the agent names, since the agent
 * itself has no right to make any. A scope is made by systemd, which owns its part of the tree; the
 * slice that it stands in carries the binding's name, so the agent needs to remember nothing.
 *
 * The agent is asked last, and answers when the element is in the kernel: no command runs before.
 */
#include "exec_place.h"

#include "agent.h"
#include "reply.h"
#include "scope.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 50, PAUSE_MS = 10 };

void exec_place_drop(struct exec_place *place)
{
	free(place->above);
	free(place->path);
	*place = (struct exec_place){ 0 };
}

/* The part of a path behind the last slash. */
static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int prepare(struct ctl *ctl, const char *binding, struct exec_place *place, bool *ret_ready)
{
	AUTO(json_drop) json_t *parameters = json_object();
	AUTO(json_drop) json_t *reply = NULL;
	int r = agent_add_text(ctl, parameters, "binding", binding);

	if (r == CTL_DONE && place->scope)
		(void)json_object_set_new(parameters, "slice", json_true());
	if (r == CTL_DONE)
		r = agent_ask(ctl, "PrepareExec", json_incref(parameters), &reply);
	if (r != CTL_DONE)
		return r;
	free(place->above);
	place->above = mem_copy(reply_text(reply, "cgroup"));
	*ret_ready = reply_true(reply, "ready");
	return CTL_DONE;
}

static int cannot_make(const struct ctl *ctl, const char *path)
{
	ctl_complain(ctl, "cannot make the cgroup %s: %s", path, strerror(errno));
	return errno == EACCES || errno == EPERM ? CTL_DENIED : CTL_REFUSED;
}

/* The cgroup of the binding and the one above it. */
static int make_above(const struct ctl *ctl, const char *path)
{
	char *AUTO(mem_drop) parent = mem_text(path, (size_t)(last_name(path) - path));

	if (*parent)
		parent[strlen(parent) - 1] = '\0';
	if ((mkdir(parent, 0755) < 0 && errno != EEXIST) ||
	    (mkdir(path, 0755) < 0 && errno != EEXIST))
		return cannot_make(ctl, path);
	return CTL_DONE;
}

/* Make the cgroup of this run. */
static int make_own(const struct ctl *ctl, const struct exec_place *place)
{
	/* a directory of this name is left over from a process that had our id, or of an earlier run */
	if (mkdir(place->path, 0755) < 0 &&
	    (errno != EEXIST || rmdir(place->path) < 0 || mkdir(place->path, 0755) < 0))
		return cannot_make(ctl, place->path);
	return CTL_DONE;
}

/* systemd.unit(5); and a cgroup may not have the name of a file that is in each of them. */
static bool is_unit_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789:_.\\@-";

	return *name && *name != '.' && strlen(name) <= 200 && name[strspn(name, letters)] == '\0';
}

int exec_place_find(struct ctl *ctl, const char *binding, const char *unit,
		    struct exec_place *ret)
{
	AUTO(exec_place_drop) struct exec_place place = { .scope = unit && sd_booted() > 0 };
	bool ready = false;
	int r, len;

	if (unit && !is_unit_name(unit)) {
		ctl_complain(ctl, "'%s' cannot be the name of a unit: letters, digits and :_.\\@-",
			     unit);
		return CTL_USAGE;
	}
	r = prepare(ctl, binding, &place, &ready);
	if (r == CTL_DONE && !place.scope && !ready) {
		r = make_above(ctl, place.above);
		if (r == CTL_DONE)
			r = prepare(ctl, binding, &place, &ready);
		if (r == CTL_DONE && !ready) {
			ctl_complain(ctl, "the agent does not see the cgroup %s", place.above);
			r = CTL_REFUSED;
		}
	}
	if (r != CTL_DONE)
		return r;
	len = unit ? asprintf(&place.path, "%s/%s.scope", place.above, unit)
		   : asprintf(&place.path, "%s/exec-%ld", place.above, (long)getpid());
	if (len < 0)
		abort();
	r = place.scope ? CTL_DONE : make_own(ctl, &place);
	*ret = place;
	place = (struct exec_place){ 0 };
	return r;
}

static bool is_in(const char *cgroup, pid_t pid)
{
	char *AUTO(mem_drop) file = NULL;
	bool found = false;
	FILE *procs;
	int one;

	if (asprintf(&file, "%s/cgroup.procs", cgroup) < 0)
		abort();
	procs = fopen(file, "re");
	while (procs && !found && fscanf(procs, "%d", &one) == 1)
		found = one == pid;
	if (procs)
		(void)fclose(procs);
	return found;
}

int exec_place_enter(struct ctl *ctl, const char *binding, const struct exec_place *place,
		     pid_t child)
{
	AUTO(exec_place_drop) struct exec_place seen = { .scope = true };
	char why[256] = "";
	bool ready = false;
	int r;

	if (!place->scope)
		return CTL_DONE;
	r = scope_start(last_name(place->path), last_name(place->above), child, why, sizeof why);
	if (r < 0) {
		ctl_complain(ctl, "systemd did not start %s: %s; the command is not run",
			     last_name(place->path), why);
		return r == -EACCES || r == -EPERM ? CTL_DENIED : CTL_REFUSED;
	}
	r = prepare(ctl, binding, &seen, &ready);
	if (r == CTL_DONE && (!ready || !is_in(place->path, child))) {
		ctl_complain(ctl, "%s is not where the agent looks, in %s; the command is not run",
			     last_name(place->path), place->above);
		r = CTL_REFUSED;
	}
	return r;
}

/* The last process leaves a cgroup a little after it was waited for. */
void exec_place_leave(const struct ctl *ctl, const struct exec_place *place)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000L * 1000L };

	if (place->scope)
		return;
	for (int i = 0; i < TRIES; i++) {
		if (rmdir(place->path) == 0 || errno == ENOENT)
			return;
		if (errno != EBUSY)
			break;
		(void)nanosleep(&pause, NULL);
	}
	if (errno == EBUSY)
		ctl_complain(ctl, "%s is left in place: the command left processes running in it",
			     place->path);
	else
		ctl_complain(ctl, "cannot remove the cgroup %s: %s", place->path, strerror(errno));
}
