/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who sends, as calls say it: a unit, a cgroup or a process, a user, a group. */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/peer.h"
#include "plan/explain.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

void method_fail_not_found(struct call *call, const char *what, const char *name)
{
	method_fail(call, OUTBIND_ERROR("NotFound"), json_pack("{s:s, s:o}", "what", what, "name",
							       method_json(name)));
}

/* True and the number, if @text is one that fits an id. */
bool method_is_id(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long long n;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end || errno || n >= UINT32_MAX)
		return false;
	*ret = (uint32_t)n;
	return true;
}

/* A user by name brings its own group, unless the call names another. */
static bool take_user(struct call *call, struct packet *packet)
{
	const char *name = method_text(call, "user");
	const struct passwd *user;

	if (!name)
		return true;
	packet->has_uid = true;
	if (method_is_id(name, &packet->uid))
		return true;
	user = getpwnam(name);
	if (!user) {
		method_fail_not_found(call, "user", name);
		return false;
	}
	packet->uid = user->pw_uid;
	packet->gid = user->pw_gid;
	packet->has_gid = true;
	return true;
}

static bool take_group(struct call *call, struct packet *packet)
{
	const char *name = method_text(call, "group");

	if (!name)
		return true;
	packet->has_gid = true;
	if (method_is_id(name, &packet->gid) || peer_group_id(name, &packet->gid) == 0)
		return true;
	method_fail_not_found(call, "group", name);
	return false;
}

static bool take_cgroup(struct call *call, const char *what, const char *name, const char *path,
			struct packet *packet)
{
	if (path && call->agent->cgroups &&
	    cgroups_chain(call->agent->cgroups, path, packet->cgroups) == 0)
		return true;
	method_fail_not_found(call, what, name);
	return false;
}

/* File system uid and gid, the fourth number each: what a socket of the process is made with. */
static int read_ids(int pid, struct packet *packet)
{
	AUTO(mem_drop) char *line = NULL;
	char path[64];
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (getline(&line, &room, file) >= 0) {
		if (sscanf(line, "Uid: %*u %*u %*u %u", &packet->uid) == 1)
			packet->has_uid = true;
		if (sscanf(line, "Gid: %*u %*u %*u %u", &packet->gid) == 1)
			packet->has_gid = true;
	}
	fclose(file);
	return packet->has_uid && packet->has_gid ? 0 : -ESRCH;
}

static bool take_process(struct call *call, json_int_t pid, struct packet *packet)
{
	AUTO(mem_drop) char *path = NULL;
	char name[32];

	snprintf(name, sizeof name, "%" JSON_INTEGER_FORMAT, pid);
	if (pid <= 0 || pid > INT32_MAX || read_ids((int)pid, packet) < 0) {
		method_fail_not_found(call, "process", name);
		return false;
	}
	if (!call->agent->cgroups)
		return true;
	if (cgroups_of_process(call->agent->cgroups, (int)pid, &path) < 0)
		path = NULL; /* outside of our cgroup root: no rule can name it */
	return !path || take_cgroup(call, "cgroup", path, path, packet);
}

/* Of unit, cgroup and pid at most one. */
static bool take_place(struct call *call, struct packet *packet)
{
	const char *unit = method_text(call, "unit"), *cgroup = method_text(call, "cgroup");
	const struct cgroups *cgroups = call->agent->cgroups;
	json_int_t pid;
	bool has_pid = method_number(call, "pid", &pid);

	if (!!unit + !!cgroup + has_pid > 1) {
		method_fail_parameter(call, unit && cgroup ? "cgroup" : "pid");
		return false;
	}
	if (unit)
		return take_cgroup(call, "unit", unit,
				   cgroups ? cgroups_unit_path(cgroups, unit) : NULL, packet);
	if (cgroup)
		return take_cgroup(call, "cgroup", cgroup, cgroup, packet);
	return !has_pid || take_process(call, pid, packet);
}

bool method_take_sender(struct call *call, struct packet *packet)
{
	return take_place(call, packet) && take_user(call, packet) && take_group(call, packet);
}
