/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See foreign.h. */
#include "plan/foreign.h"

#include <stdlib.h>
#include <string.h>

void foreign_drop(struct foreign *foreign)
{
	free(foreign->tables.at);
	free(foreign->chains.at);
	free(foreign->jumps.at);
	free(foreign->acts.at);
	arena_drop(&foreign->arena);
	*foreign = (struct foreign){ 0 };
}

static bool improve(const struct foreign *foreign, uint32_t *best, uint32_t base)
{
	const struct foreign_chain *chains = foreign->chains.at;

	if (base == UINT32_MAX ||
	    (*best != UINT32_MAX && chains[*best].priority <= chains[base].priority))
		return false;
	*best = base;
	return true;
}

/* Jumps are few and not deep (the kernel allows 16 levels), so they are followed level by level. */
void foreign_reach(const struct foreign *foreign, uint32_t (*ret)[FOREIGN_HOOKS])
{
	bool changed = true;

	for (uint32_t i = 0; i < foreign->chains.n; i++) {
		for (int hook = 0; hook < FOREIGN_HOOKS; hook++)
			ret[i][hook] = UINT32_MAX;
		if (foreign->chains.at[i].hook != FOREIGN_NO_HOOK)
			ret[i][foreign->chains.at[i].hook] = i;
	}
	for (int level = 0; level < 16 && changed; level++) {
		changed = false;
		for (size_t i = 0; i < foreign->jumps.n; i++)
			for (int hook = 0; hook < FOREIGN_HOOKS; hook++)
				changed |= improve(foreign, &ret[foreign->jumps.at[i].to][hook],
						   ret[foreign->jumps.at[i].from][hook]);
	}
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

const char *foreign_likely(const char *table, const char *chain)
{
	static const struct { const char *begin, *who; } names[] = {
		{ "DOCKER", "Docker" },		 { "docker", "Docker" },
		{ "KUBE-", "Kubernetes" },	 { "kube-", "Kubernetes" },
		{ "cali-", "Calico" },		 { "CILIUM", "Cilium" },
		{ "ts-", "Tailscale" },		 { "LIBVIRT", "libvirt" },
		{ "libvirt", "libvirt" },	 { "ufw", "ufw" },
		{ "firewalld", "firewalld" },	 { "netavark", "Podman" },
		{ "NETAVARK", "Podman" },	 { "CNI-", "a CNI plugin" },
		{ "wg-quick", "wg-quick" },	 { "nm-", "NetworkManager" },
		{ "f2b-", "fail2ban" },		 { "incus", "Incus" },
		{ "lxd", "LXD" },		 { "FLANNEL", "flannel" },
		{ "mwan3", "mwan3" },		 { "io.systemd", "systemd-networkd" },
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (begins(chain, names[i].begin) || begins(table, names[i].begin))
			return names[i].who;
	return NULL;
}

const char *foreign_hook_name(enum foreign_hook hook)
{
	static const char *const names[FOREIGN_HOOKS] = {
		"no hook", "ingress", "prerouting", "input",
		"forward", "output",  "postrouting", "egress",
	};

	return names[hook];
}
