/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See peer.h. Credentials are those of connect(2) time (unix(7)), so they cannot be raced. */
#include "daemon/peer.h"

#include "base/mem.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int read_groups(int fd, struct credentials *credentials)
{
	socklen_t size = 0;

	/* With too little room the kernel says how much it needs (net/core/sock.c, SO_PEERGROUPS). */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno == ENODATA)
		return 0;
	if (errno != ERANGE || size == 0)
		return errno == ERANGE ? 0 : -errno;
	credentials->groups = mem_zero(size / sizeof(gid_t), sizeof(gid_t));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, credentials->groups, &size) < 0)
		return -errno;
	credentials->n_groups = size / sizeof(gid_t);
	return 0;
}

int peer_credentials(int fd, struct credentials *ret)
{
	AUTO(credentials_drop) struct credentials credentials = { 0 };
	struct ucred cred;
	socklen_t size = sizeof cred;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	credentials.pid = cred.pid;
	credentials.uid = cred.uid;
	credentials.gid = cred.gid;
	r = read_groups(fd, &credentials);
	if (r < 0)
		return r;
	*ret = credentials;
	credentials = (struct credentials){ 0 };
	return 0;
}

void credentials_drop(struct credentials *credentials)
{
	free(credentials->groups);
	*credentials = (struct credentials){ 0 };
}

bool peer_in_groups(const struct credentials *credentials, gid_t first, gid_t last)
{
	if (credentials->gid >= first && credentials->gid <= last)
		return true;
	for (size_t i = 0; i < credentials->n_groups; i++)
		if (credentials->groups[i] >= first && credentials->groups[i] <= last)
			return true;
	return false;
}

/* Where we run with that group the file has it already, and chown(2) may be taken from us. */
static int give_to(const char *path, gid_t gid)
{
	struct stat status;

	if (gid == (gid_t)-1 || (stat(path, &status) == 0 && status.st_gid == gid))
		return 0;
	return chown(path, (uid_t)-1, gid);
}

int peer_listen(const char *dir, const char *name, int type, mode_t mode, gid_t gid, struct fd *ret)
{
	AUTO(fd_drop) struct fd fd = { socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char *path = address.sun_path;
	mode_t mask;
	int r;

	if (fd.n < 0)
		return -errno;
	if (snprintf(path, sizeof address.sun_path, "%s/%s", dir, name) >=
	    (int)sizeof address.sun_path)
		return -ENAMETOOLONG;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	mask = umask(0177);
	r = bind(fd.n, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return r;
	if (give_to(path, gid) < 0 || chmod(path, mode) < 0 || listen(fd.n, 64) < 0)
		return -errno;
	*ret = fd_take(&fd);
	return 0;
}

int peer_user_id(const char *name, uid_t *ret)
{
	const struct passwd *user = getpwnam(name);

	if (!user)
		return -ESRCH;
	*ret = user->pw_uid;
	return 0;
}

int peer_group_id(const char *name, gid_t *ret)
{
	const struct group *group = getgrnam(name);

	if (!group)
		return -ESRCH;
	*ret = group->gr_gid;
	return 0;
}
