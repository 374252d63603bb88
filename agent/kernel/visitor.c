/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See visitor.h. PIDFD_GET_INFO is of Linux 6.13, and not in all headers: what is needed of it is here,
 * as in include/uapi/linux/pidfd.h and pidfd_info() of fs/pidfs.c.
 */
#include "kernel/visitor.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77				/* Linux 6.5 */
#endif

/* struct pidfd_info, PIDFD_INFO_SIZE_VER0. */
struct told {
	uint64_t mask;				/* in: what is wanted; out: what there is */
	uint64_t cgroupid;
	uint32_t ids[12];			/* of process and user, which are not looked at */
};

_Static_assert(sizeof(struct told) == 64, "PIDFD_INFO_SIZE_VER0");

#define TOLD_CGROUP (UINT64_C(1) << 2)		/* PIDFD_INFO_CGROUPID */
#define ASK_PIDFD _IOWR(0xff, 11, struct told)	/* PIDFD_GET_INFO */

static int open_process(int socket, int pid, struct fd *ret)
{
	socklen_t size = sizeof ret->n;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &ret->n, &size) == 0)
		return 0;
	*ret = FD_NONE;
	if (errno != ENOPROTOOPT)
		return -errno;
	ret->n = (int)syscall(SYS_pidfd_open, pid, 0);
	return ret->n < 0 ? -errno : 0;
}

int visitor_of_peer(int socket, int pid, struct visitor *ret)
{
	struct told told = { .mask = TOLD_CGROUP };
	AUTO(fd_drop) struct fd pidfd = FD_NONE;
	int r;

	if (pid <= 0)
		return -ESRCH;			/* of a pid namespace that is not below ours */
	r = open_process(socket, pid, &pidfd);
	if (r < 0)
		return r;
	*ret = VISITOR_NONE;
	if (ioctl(pidfd.n, ASK_PIDFD, &told) < 0 && errno == ESRCH)
		return -ESRCH;
	if (told.mask & TOLD_CGROUP && told.cgroupid) {
		ret->cgroup = told.cgroupid;
		return 0;
	}
	ret->pid = pid;
	ret->pidfd = fd_take(&pidfd);
	return 0;
}

void visitor_drop(struct visitor *visitor)
{
	fd_drop(&visitor->pidfd);
	*visitor = VISITOR_NONE;
}

bool visitor_is_there(const struct visitor *visitor)
{
	struct pollfd poll_one = { .fd = visitor->pidfd.n, .events = POLLIN };

	return visitor->pidfd.n >= 0 && poll(&poll_one, 1, 0) == 0;
}
