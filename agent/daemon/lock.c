/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lock is the abstract Unix socket "\0outbind/TABLE": abstract names belong to a network
 * namespace, exactly as tables do (unix(7); net/unix/af_unix.c hashes by net), and vanish with the
 * process. Anybody may bind such a name, so a holder who is none of those that run an agent (root, our
 * own user, the user of the service) proves nothing and is ignored; SO_PEERCRED of a connected stream
 * socket tells who called listen(2).
 *
 * Limits: a holder that neither accepts nor has room in its backlog cannot be identified; then the
 * owner flag of the table is the only guard.
 */
#include "daemon/lock.h"

#include "daemon/peer.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum { LOOKS = 20, LOOK_PAUSE_NS = 10 * 1000 * 1000 };

static socklen_t name_of(const char *table, struct sockaddr_un *ret)
{
	int n;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(ret->sun_path + 1, sizeof ret->sun_path - 1, "outbind/%s", table);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

/* Who listens on @name: 0, or -ECONNREFUSED if nobody does any more, -EAGAIN if it cannot be told. */
static int look(const struct sockaddr_un *name, socklen_t len, struct ucred *ret)
{
	AUTO(fd_drop)
	struct fd fd = { socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) };
	socklen_t size = sizeof *ret;

	if (fd.n < 0 || connect(fd.n, (const struct sockaddr *)name, len) < 0)
		return -errno;
	return getsockopt(fd.n, SOL_SOCKET, SO_PEERCRED, ret, &size) < 0 ? -errno : 0;
}

static int bind_name(const struct sockaddr_un *name, socklen_t len, struct fd *ret)
{
	AUTO(fd_drop)
	struct fd fd = { socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) };

	if (fd.n < 0 || bind(fd.n, (const struct sockaddr *)name, len) < 0 || listen(fd.n, 16) < 0)
		return -errno;
	*ret = fd_take(&fd);
	return 0;
}

static bool runs_agents(uid_t uid)
{
	uid_t service;

	return uid == 0 || uid == geteuid() ||
	       (peer_user_id(LOCK_USER, &service) == 0 && uid == service);
}

int lock_take(const char *table, struct fd *ret, int *reterr_pid, uint32_t *reterr_uid)
{
	static const struct timespec pause = { .tv_nsec = LOOK_PAUSE_NS };
	struct sockaddr_un name;
	socklen_t len = name_of(table, &name);
	struct ucred holder = { .uid = UINT32_MAX };

	for (int i = 0; i < LOOKS; i++) {
		int r = bind_name(&name, len, ret);

		if (r != -EADDRINUSE)
			return r;
		r = look(&name, len, &holder);
		if (r == 0)
			break;
		nanosleep(&pause, NULL);	/* it is just going away, or its backlog is full */
	}
	*reterr_pid = holder.pid;
	*reterr_uid = holder.uid;
	if (runs_agents(holder.uid))
		return -EBUSY;
	*ret = FD_NONE;
	return 0;
}

void lock_answer(int fd)
{
	AUTO(fd_drop) struct fd peer = { accept4(fd, NULL, NULL, SOCK_CLOEXEC) };

	(void)peer;
}
