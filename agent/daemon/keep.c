/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See keep.h. A stopped service's descriptors are closed by systemd: then the table is nobody's, and stays. */
#include "daemon/keep.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define KEPT_NAME "table"

int keep_take(void)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), kept = 0;

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (!kept && strcmp(names[i], KEPT_NAME) == 0 &&
		    sd_is_socket(fd, AF_NETLINK, SOCK_RAW, -1) > 0)
			kept = fd;
		else
			(void)close(fd);
		free(names[i]);
	}
	free(names);
	return kept;
}

void keep_store(int fd)
{
	(void)sd_pid_notify_with_fds(0, false, "FDSTORE=1\nFDNAME=" KEPT_NAME "\nFDPOLL=0", &fd, 1);
}
