/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See peers.h. A rule that asks for what cannot be seen would never match, and the message would go by
 * the next rule: from another address. So the relay does not start with such rules.
 */
#include "relay/peers.h"

#include "base/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FEW = 16 };				/* ids of a namespace that is for hiding */

void peer_take(int fd, struct peer *ret)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	*ret = (struct peer){ 0 };
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return;
	*ret = (struct peer){ true, peer.uid, process_cgroup(peer.pid) };
}

void peer_drop(struct peer *peer)
{
	free(peer->cgroup);
	*peer = (struct peer){ 0 };
}

bool peers_mapped(const char *map)
{
	uint64_t mapped = 0;

	while (*map) {
		unsigned long long inside, outside, n;

		if (sscanf(map, "%llu %llu %llu", &inside, &outside, &n) == 3)
			mapped += n;
		map += strcspn(map, "\n");
		map += *map == '\n';
	}
	return mapped > FEW;
}

bool peers_visible(char *ret_why, size_t room)
{
	FILE *file = fopen("/proc/self/uid_map", "re");
	char map[4096];
	size_t n = file ? fread(map, 1, sizeof map - 1, file) : 0;
	const char *hidden = NULL;

	map[n] = '\0';
	if (file)
		(void)fclose(file);
	if (n > 0 && !peers_mapped(map))
		hidden = "PrivateUsers=yes hides other users";
	else if (access("/proc/1/cgroup", R_OK) < 0)
		hidden = "ProtectProc= hides other processes";
	if (hidden)
		(void)snprintf(ret_why, room, "%s", hidden);
	return !hidden;
}
