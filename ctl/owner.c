/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See owner.h; proc(5), /proc/PID/fd. */
#include "owner.h"

#include "base/ascii.h"
#include "base/mem.h"
#include "reply.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CGROUP_DEPTH = 32 };

void owners_drop(struct owners *owners)
{
	for (size_t i = 0; i < owners->cgroups.n; i++)
		free(owners->cgroups.at[i].path);
	for (size_t i = 0; i < owners->users.n; i++)
		free(owners->users.at[i].name);
	free(owners->sockets.at);
	free(owners->cgroups.at);
	free(owners->users.at);
	index_drop(&owners->by_inode);
	index_drop(&owners->by_id);
	index_drop(&owners->by_uid);
	*owners = (struct owners){ 0 };
}

bool owner_command(int pid, char out[static OWNER_COMMAND])
{
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(out, OWNER_COMMAND, file))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	if (file)
		(void)fclose(file);
	ascii_show(out, strlen(out), out);
	return out[0] != '\0';
}

static void read_sockets(struct owners *owners, int pid)
{
	struct owner owner = { .pid = pid };
	char path[64], target[64];
	const struct dirent *entry;
	DIR *folder;

	(void)snprintf(path, sizeof path, "/proc/%d/fd", pid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		ssize_t n = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);

		target[n > 0 ? n : 0] = '\0';
		if (sscanf(target, "socket:[%u]", &owner.inode) != 1)
			continue;
		if (!owner.command[0])
			(void)owner_command(pid, owner.command);
		index_add(&owners->by_inode, index_hash(&owner.inode, sizeof owner.inode),
			  (uint32_t)owners->sockets.n);
		PUSH(&owners->sockets, owner);
	}
	if (folder)
		(void)closedir(folder);
}

/* A cgroup's id is the inode number of its directory (64-bit inode numbers). */
static void read_cgroups(struct owners *owners, const char *path, size_t root, int depth)
{
	const struct dirent *entry;
	struct stat about;
	DIR *folder;

	if (depth == CGROUP_DEPTH || stat(path, &about) < 0 || !(folder = opendir(path)))
		return;
	index_add(&owners->by_id, index_hash(&(uint64_t){ about.st_ino }, sizeof(uint64_t)),
		  (uint32_t)owners->cgroups.n);
	PUSH(&owners->cgroups,
	     ((struct owner_cgroup){ about.st_ino, mem_copy(path + root) }));
	while ((entry = readdir(folder))) {
		char below[PATH_MAX];

		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    snprintf(below, sizeof below, "%s/%s", path, entry->d_name) <
			    (int)sizeof below)
			read_cgroups(owners, below, root, depth + 1);
	}
	(void)closedir(folder);
}

/* Those of the first cgroup2 mount, as the agent does; there is no other, as a rule. */
static void read_mount(struct owners *owners)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent mount;
	char text[3 * PATH_MAX];

	while (mounts && getmntent_r(mounts, &mount, text, sizeof text)) {
		if (strcmp(mount.mnt_type, "cgroup2") != 0)
			continue;
		read_cgroups(owners, mount.mnt_dir, strlen(mount.mnt_dir), 0);
		break;
	}
	if (mounts)
		(void)endmntent(mounts);
}

void owners_read(struct owners *owners)
{
	DIR *processes = opendir("/proc");
	const struct dirent *entry;

	owners_drop(owners);
	while (processes && (entry = readdir(processes))) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (pid > 0 && pid <= INT_MAX && !*end)
			read_sockets(owners, (int)pid);
	}
	if (processes)
		(void)closedir(processes);
	read_mount(owners);
}

const struct owner *owners_find(const struct owners *owners, uint32_t inode)
{
	uint32_t at, hash = index_hash(&inode, sizeof inode);

	for (size_t step = 0; (at = index_next(&owners->by_inode, hash, &step)) != UINT32_MAX;)
		if (owners->sockets.at[at].inode == inode)
			return &owners->sockets.at[at];
	return NULL;
}

bool owners_has(const struct owners *owners, uint32_t inode, int pid)
{
	uint32_t at, hash = index_hash(&inode, sizeof inode);

	for (size_t step = 0; (at = index_next(&owners->by_inode, hash, &step)) != UINT32_MAX;)
		if (owners->sockets.at[at].inode == inode && owners->sockets.at[at].pid == pid)
			return true;
	return false;
}

const char *owners_cgroup(const struct owners *owners, uint64_t id)
{
	uint32_t at, hash = index_hash(&id, sizeof id);

	for (size_t step = 0; (at = index_next(&owners->by_id, hash, &step)) != UINT32_MAX;)
		if (owners->cgroups.at[at].id == id)
			return owners->cgroups.at[at].path;
	return NULL;
}

static bool is_unit(const char *name, size_t len)
{
	static const char *const kinds[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t n = strlen(kinds[i]);

		if (len > n && strncmp(name + len - n, kinds[i], n) == 0)
			return true;
	}
	return false;
}

const char *owner_unit(const char *path, char *out, size_t room)
{
	while (path && *path) {
		size_t len;

		path += *path == '/';
		len = strcspn(path, "/");
		if (is_unit(path, len) && len < room) {
			(void)snprintf(out, room, "%.*s", (int)len, path);
			return out;
		}
		path += len;
	}
	return NULL;
}

static void set_text(json_t *flow, const char *key, const char *text)
{
	json_t *json = text && *text ? json_string(text) : NULL;

	if (json)				/* or it is not UTF-8: left out */
		(void)json_object_set_new(flow, key, json);
}

/* NULL: no user has this uid. Looking one up reads a file or asks a server: not for each flow. */
static const char *user_name(struct owners *owners, uint32_t uid)
{
	uint32_t at, hash = index_hash(&uid, sizeof uid);
	struct owner_user user = { .uid = uid };
	const struct passwd *found;

	for (size_t step = 0; (at = index_next(&owners->by_uid, hash, &step)) != UINT32_MAX;)
		if (owners->users.at[at].uid == uid)
			return owners->users.at[at].name;
	found = getpwuid(uid);
	if (found)
		user.name = mem_copy(found->pw_name);
	index_add(&owners->by_uid, hash, (uint32_t)owners->users.n);
	PUSH(&owners->users, user);
	return user.name;
}

void owners_add(struct owners *owners, json_t *flow)
{
	uint32_t inode = (uint32_t)reply_number(flow, "inode");
	uint64_t cgroup = (uint64_t)reply_number(flow, "cgroup_id");
	const struct owner *owner;
	char text[NAME_MAX + 1];
	const char *unit;

	if (!reply_member(flow, "uid"))
		return;
	owner = inode ? owners_find(owners, inode) : NULL;
	if (owner) {
		(void)json_object_set_new(flow, "pid", json_integer(owner->pid));
		set_text(flow, "command", owner->command);
	}
	if (cgroup && !*reply_text(flow, "cgroup"))
		set_text(flow, "cgroup", owners_cgroup(owners, cgroup));
	unit = owner_unit(reply_text(flow, "cgroup"), text, sizeof text);
	if ((unit && strcmp(unit, "outbind-relay.service") == 0) ||
	    (owner && strcmp(owner->command, "outbind-relay") == 0))
		(void)json_object_set_new(flow, "relay", json_true());
	set_text(flow, "unit", unit);
	set_text(flow, "user", user_name(owners, (uint32_t)reply_number(flow, "uid")));
}
