/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may use a binding. User and groups are known, and asked first. Where a peer's cgroup is, is looked
 * for only if nothing else allows it, below the cgroup that is allowed, and by what was known when it
 * connected: so a stranger could have the agent search, for nothing, as long as he likes. Each user has so
 * much of the agent's time for it; who has used that up is told to wait.
 */
#include "daemon/tag_parts.h"

#include "proto/tag.h"

/* Microseconds of searching for one user: a twentieth of a processor. */
static const struct rate_limit usec = { .per_second = 50000, .burst = 100000 };

static const struct refusal
	none = { NULL, NULL },
	denied = { TAG_DENIED, "who asks is not in the allow list of this binding, as all must be "
				"but root and the user outbind-relay" },
	unknown = { TAG_DENIED, "your cgroup is not among the 1024 that are looked at below one of "
				"the allow list, which should name one nearer to it" },
	too_often = { TAG_TOO_MANY, "your cgroup was looked for too often; later again" },
	no_files = { TAG_NOT_NOW, "your cgroup cannot be looked for: too many open files" };

static bool allow_matches(const struct allow *allow, const struct tag_peer *peer)
{
	switch (allow->kind) {
	case PEER_USER:
		return peer->credentials.uid >= allow->ids.first &&
		       peer->credentials.uid <= allow->ids.last;
	case PEER_GROUP:
		return peer_in_groups(&peer->credentials, allow->ids.first, allow->ids.last);
	case PEER_CGROUP:
		return peer->cgroup && model_cgroup_below(peer->cgroup, allow->path);
	}
	return false;
}

/* Is it in this cgroup, or below? */
static struct refusal search(const struct agent *agent, struct tag_peer *peer, const char *top)
{
	uid_t uid = peer->credentials.uid;
	uint64_t began = agent_clock(), now;
	char *path = NULL;
	int r;

	if (!rate_take(peer->searches, usec, uid, began))
		return too_often;
	r = cgroups_find(agent->cgroups, top, &peer->visitor, &path);
	now = agent_clock();
	if (r == 0) {
		free(peer->cgroup);
		peer->cgroup = path;
	}
	rate_owe(peer->searches, usec, uid, now, (uint32_t)(now - began));
	return r == 0 ? none : r == -E2BIG ? unknown : r == -ENOENT ? denied : no_files;
}

/* Where one search says no, another may say yes; the first word that is not a plain no is told. */
static struct refusal search_all(const struct agent *agent, struct tag_peer *peer,
				 const struct binding *binding)
{
	struct refusal told = denied;

	for (uint32_t i = 0; i < binding->n_allows; i++) {
		struct refusal refusal;

		if (binding->allows[i].kind != PEER_CGROUP)
			continue;
		refusal = search(agent, peer, binding->allows[i].path);
		if (!refusal.code)
			return none;
		if (told.text == denied.text)
			told = refusal;
	}
	return told;
}

struct refusal tag_check_allowed(const struct agent *agent, struct tag_peer *peer, uint32_t index)
{
	const struct binding *binding;

	if (peer->trusted)
		return none;
	if (index == NO_INDEX)
		return denied;
	binding = &agent->now->model.bindings.at[index];
	for (uint32_t i = 0; i < binding->n_allows; i++)
		if (allow_matches(&binding->allows[i], peer))
			return none;
	/* Where it was found by its number it may, in a threaded cgroup, also be further down. */
	if ((peer->cgroup && peer->visitor.cgroup) || !agent->cgroups ||
	    (!peer->visitor.cgroup && !peer->visitor.pid))
		return denied;			/* it is somewhere else, or nothing is known of it */
	return search_all(agent, peer, binding);
}
