/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who sends, as calls say it: a unit, a cgroup or a process, a user, a group. */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/peer.h"
#include "plan/explain.h"

#include <pwd.h>
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

/* Of a process, by what its own file says: outside of our cgroup root no rule can name it. */
static bool take_process(struct call *call, const char *path, struct packet *packet)
{
	AUTO(mem_drop) char *below = NULL;

	if (!call->agent->cgroups)
		return true;
	if (cgroups_below(call->agent->cgroups, path, &below) < 0)
		below = NULL;
	return !below || take_cgroup(call, "cgroup", below, below, packet);
}

/* Of unit, cgroup and process_cgroup at most one. */
static bool take_place(struct call *call, struct packet *packet)
{
	const char *unit = method_text(call, "unit"), *cgroup = method_text(call, "cgroup"),
		   *of_process = method_text(call, "process_cgroup");
	const struct cgroups *cgroups = call->agent->cgroups;

	if (!!unit + !!cgroup + !!of_process > 1) {
		method_fail_parameter(call, unit && cgroup ? "cgroup" : "process_cgroup");
		return false;
	}
	if (unit)
		return take_cgroup(call, "unit", unit,
				   cgroups ? cgroups_unit_path(cgroups, unit) : NULL, packet);
	if (cgroup)
		return take_cgroup(call, "cgroup", cgroup, cgroup, packet);
	return !of_process || take_process(call, of_process, packet);
}

bool method_take_sender(struct call *call, struct packet *packet)
{
	return take_place(call, packet) && take_user(call, packet) && take_group(call, packet);
}
