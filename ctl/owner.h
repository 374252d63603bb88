/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has a socket open: process and command by the inode of the socket, path by the id of a cgroup.
 * Looked up in /proc and in the cgroup file system with the rights of who runs this program, so that
 * nobody sees more of other users' processes here than with ps(1) and ss(8).
 */
#pragma once

#include "model/index.h"

#include <jansson.h>
#include <stdbool.h>

enum { OWNER_COMMAND = 32 };

struct owner {
	uint32_t inode;
	int pid;
	char command[OWNER_COMMAND];		/* as /proc/PID/comm has it */
};

struct owners {
	struct { struct owner *at; size_t n, room; } sockets;	/* as found when last read */
	struct index by_inode;
	struct { struct owner_cgroup { uint64_t id; char *path; } *at; size_t n, room; } cgroups;
	struct index by_id;
	struct { struct owner_user { uint32_t uid; char *name; } *at; size_t n, room; } users;
	struct index by_uid;			/* those that were asked for */
};

void owners_drop(struct owners *owners);

/* Look at all processes and cgroups; takes some ms for each thousand sockets. */
void owners_read(struct owners *owners);

const struct owner *owners_find(const struct owners *owners, uint32_t inode);	/* or NULL */
bool owners_has(const struct owners *owners, uint32_t inode, int pid);
const char *owners_cgroup(const struct owners *owners, uint64_t id);		/* or NULL */

/* The name of a process, as far as it is printable; false: there is none, or it may not be seen. */
bool owner_command(int pid, char out[static OWNER_COMMAND]);

/* The unit that a cgroup path ends in or lies in ("nginx.service"), in @out, or NULL: there is none. */
const char *owner_unit(const char *path, char *out, size_t room);

/* Add to a Flow of the agent what is known here: pid, command, cgroup, unit, user. */
void owners_add(struct owners *owners, json_t *flow);
